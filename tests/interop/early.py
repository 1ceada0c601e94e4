"""Answers that come before the end of a request: each must arrive whole, each of a hundred times.

curl over HTTP/1.1 and HTTP/2, then tritonclient over HTTP and gRPC, with bodies larger than what lies
in sockets and windows. The last part gives the demo's caller a limit of one request a minute, so
nothing else can be asked of this demo afterwards.
"""

import concurrent.futures
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from scene import Scene, grpc, http, infer_input, refused

TIMES = 100
# A few MiB: more than windows hold. The other is more than a gateway takes.
BODY_BYTES = 3 << 20
TOO_MANY_BYTES = 6 << 20
GRPC = {
    401: "StatusCode.UNAUTHENTICATED",
    403: "StatusCode.PERMISSION_DENIED",
    413: "StatusCode.RESOURCE_EXHAUSTED",
    429: "StatusCode.RESOURCE_EXHAUSTED",
}


def curl(scene, version, model, token, body):
    """Status, protocol and body of one request on a connection of its own."""
    command = ["curl", "--silent", "--show-error", version, "--max-time", "30"]
    command += ["--cacert", scene.authority, "--data-binary", f"@{body}"]
    command += ["--header", "Content-Type: application/octet-stream", "--header", "Expect:"]
    if token:
        command += ["--header", f"Authorization: Bearer {token}"]
    command += ["--write-out", "\n%{http_code} %{http_version}"]
    command.append(f"https://{scene.address}/v2/models/{model}/infer")
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr, done.stdout[-200:])
    answer, written = done.stdout.rsplit("\n", 1)
    status, protocol = written.split()
    return int(status), protocol, answer


def by_curl(scene, status, model, token, body):
    for version, protocol in [("--http1.1", "1.1"), ("--http2", "2")]:
        ask = lambda _: curl(scene, version, model, token, body)
        # Two at once: this is about what arrives, not about load.
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            whole = list(pool.map(ask, range(TIMES)))
        for told, over, answer in whole:
            assert (told, over) == (status, protocol), (told, over, answer)
            problem = json.loads(answer)
            assert problem["status"] == status and isinstance(problem["error"], str), problem
        yield f"early {status}: whole in {TIMES} of {TIMES}, curl over HTTP/{protocol}"


def by_triton(scene, status, model, token, rows):
    headers = {"authorization": f"Bearer {token}"} if token else {}
    client = http(scene)
    for _ in range(TIMES):
        told = refused(client.infer, model, [infer_input(triton_http, rows)], headers=dict(headers))
        assert told.status() == str(status) and told.message(), told
        assert "decode" not in told.message(), told
    yield f"early {status}: whole in {TIMES} of {TIMES}, tritonclient over HTTP"
    client = grpc(scene)
    for _ in range(TIMES):
        told = refused(client.infer, model, [infer_input(triton_grpc, rows)], headers=headers)
        assert told.status() == GRPC[status] and told.message(), told
    yield f"early {status}: whole in {TIMES} of {TIMES}, tritonclient over gRPC"


def limit_to_one_a_minute(scene):
    """The gateway reads its folder again by itself."""
    limits = scene.state / "policies/limits.toml"
    head = "[limits.clinic]\n"
    text = limits.read_text()
    assert head in text
    changed = limits.with_suffix(".new")
    changed.write_text(text.replace(head, f"{head}rate_per_minute = 1\nburst = 1\n"))
    changed.rename(limits)
    with tempfile.NamedTemporaryFile() as small:
        small.write(scene.example)
        small.flush()
        deadline = time.monotonic() + 60
        while curl(scene, "--http2", scene.model, scene.token, small.name)[0] != 429:
            assert time.monotonic() < deadline, "no limit"
            time.sleep(0.1)


def main():
    scene = Scene(json.loads(Path(sys.argv[1]).read_text()))
    with tempfile.NamedTemporaryFile() as body, tempfile.NamedTemporaryFile() as too_large:
        body.write(bytes(BODY_BYTES))
        too_large.write(bytes(TOO_MANY_BYTES))
        body.flush()
        too_large.flush()
        width = scene.row.shape[1]
        rows = numpy.zeros((BODY_BYTES // 4 // width, width), numpy.float32)
        too_many = numpy.zeros((TOO_MANY_BYTES // 4 // width, width), numpy.float32)

        def check(status, model, token, file, tensor):
            for done in by_curl(scene, status, model, token, file):
                print(f"ok  {done}", flush=True)
            for done in by_triton(scene, status, model, token, tensor):
                print(f"ok  {done}", flush=True)

        check(401, scene.model, None, body.name, rows)
        check(403, "no-such-model", scene.token, body.name, rows)
        check(413, scene.model, scene.token, too_large.name, too_many)
        limit_to_one_a_minute(scene)
        check(429, scene.model, scene.token, body.name, rows)


main()
