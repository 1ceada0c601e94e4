"""Events for the function of AWS Lambda, behind cargo-lambda's emulator; see `lambda`."""

import base64
import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from email.utils import formatdate
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pyhpke import AEADId

from client import AEADS, KEM, KEY_PROBLEM, bhttp_answer, bhttp_request, keys, seal

MODEL = "risk"
PATIENCE_S = 60
SEALED_TYPE = "message/ohttp-req"
# Lambda sets these; the emulator says which ones it wants.
PLATFORM = {
    "AWS_LAMBDA_FUNCTION_NAME": "_",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
}


class Emulator:
    """Lambda's runtime interface and its invoke interface, on one port of loopback."""

    def __init__(self, program, work):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # It wants to know the project's binaries; any project will do.
        (work / "emulated/src").mkdir(parents=True)
        (work / "emulated/src/main.rs").write_text("fn main() {}\n")
        manifest = '[package]\nname = "emulated"\nversion = "0.1.0"\n'
        (work / "emulated/Cargo.toml").write_text(manifest)
        where = ["--invoke-address", "127.0.0.1", "--invoke-port", str(self.port)]
        self._process = subprocess.Popen(
            [program, "lambda", "watch", "--only-lambda-apis", *where],
            cwd=work / "emulated",
            stdout=(work / "emulator.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            assert self._process.poll() is None, (work / "emulator.log").read_text()
            assert time.monotonic() < deadline, "the emulator does not listen"
            time.sleep(0.05)

    def invoke(self, event):
        """An invocation: its answer as Lambda hands it on."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        return json.loads(self._ask("/2015-03-31/functions/_/invocations", body, {})[2])

    def http(self, path, body=None, content_type="application/json"):
        """A request to the function's URL, which becomes a proxy event of version 2.0."""
        return self._ask(path, body, {"content-type": content_type})

    def _ask(self, path, body, headers):
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read()

    def end(self):
        end(self._process)


class Function:
    """The bootstrap of a package, started as Lambda starts it."""

    def __init__(self, package, emulator, **more):
        api = f"http://127.0.0.1:{emulator.port}/.rt"
        environment = {"AWS_LAMBDA_RUNTIME_API": api, "LAMBDA_TASK_ROOT": str(package)}
        self.log = package / "stderr.log"
        self.process = subprocess.Popen(
            [package / "bootstrap"],
            env={**PLATFORM, **environment, **more},
            stderr=self.log.open("ab"),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def ended(self):
        return self.process.wait(PATIENCE_S)


def end(process):
    process.terminate()
    process.wait(PATIENCE_S)


def check(what, holds):
    print(f"{'ok ' if holds else 'FAILED'} lambda: {what}", flush=True)
    if not holds:
        sys.exit(1)


def run(*arguments):
    done = subprocess.run([str(one) for one in arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def package(work, name, how, bin_dir):
    """A package with keys of its own."""
    folder = work / name
    folder.mkdir()
    (folder / "opened").mkdir()
    shutil.copy(bin_dir / "sealgate-lambda", folder / "bootstrap")
    shutil.copy(work / "model/model.safetensors", folder)
    common = f"name = '{MODEL}'\nversion = '1'\nmodel = 'model.safetensors'\nrelease = 'full'\n"
    kek = f"[kek]\nkey_file = '{work / 'kek'}'\n"
    (folder / "function.toml").write_text(common + how + kek)
    made = ["--out", folder / "function.keys", "--public", folder / "keyset.json"]
    run(folder / "bootstrap", "keys", "--config", folder / "function.toml", *made)
    return folder


def sealed_event(request):
    return {SEALED_TYPE: base64.b64encode(request).decode()}


def answer_of(event, open_answer):
    """Status and body inside the sealed answer of a direct invocation."""
    assert list(event) == ["message/ohttp-res"], event
    status, _, body = bhttp_answer(open_answer(base64.b64decode(event["message/ohttp-res"])))
    return status, json.loads(body)


def is_key_problem(problem):
    return problem["status"] == 400 and problem["type"] == KEY_PROBLEM


def in_the_clear(emulator, rows, expected):
    one, all_rows = emulator.invoke({"x": rows[0]}), emulator.invoke({"x": rows})
    check("a row in the clear has its result", near([one["result"]], expected[:1]))
    check("rows in the clear have theirs", near(all_rows["result"], expected))
    event = {
        "httpMethod": "POST",
        "path": "/invocations",
        "headers": {"Content-Type": "application/json"},
        "requestContext": {"stage": "prod"},
        "body": base64.b64encode(json.dumps({"x": rows[0]}).encode()).decode(),
        "isBase64Encoded": True,
    }
    answer = emulator.invoke(event)
    check("a proxy event of version 1.0 is answered", answer["statusCode"] == 200)
    check("by the same result", json.loads(answer["body"]) == one)
    status, headers, body = emulator.http("/invocations", json.dumps({"x": rows}).encode())
    check("a proxy event of version 2.0 is answered", (status, json.loads(body)) == (200, all_rows))
    check("with a receipt that says `unsealed`", '"mode":"unsealed"' in headers["sealgate-receipt"])
    status, _, body = emulator.http("/invocations", json.dumps({"x": rows[0][:-1]}).encode())
    check("a row that is too short is refused", (status, code(body)) == (400, "row_length"))


def shown_keys(emulator, folder):
    """The key list, held against the keyset that was published with the package."""
    status, headers, listed = emulator.http("/.well-known/ohttp-gateway")
    check("the key list is served", (status, headers["content-type"]) == (200, "application/ohttp-keys"))
    held = json.loads((folder / "keyset.json").read_text())
    digest = hashlib.sha256(listed).hexdigest()
    check("it is the published keyset's", held["keyset"]["key_list_digest"] == digest)
    shown = emulator.invoke({"attestation": {"nonce": os.urandom(32).hex()}})
    check("so is the keyset that the function shows", shown["keyset"] == held["keyset"])
    written = json.dumps(shown["keyset"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(b"sealgate client keyset v1" + written.encode()).hexdigest()
    check("its digest is of its canonical form", shown["keyset_digest"] == digest)
    check("it claims no sandbox", shown["keyset"]["sandbox_enforced"] is False)
    return keys(listed)[KEM.value], shown["keyset"]


def sealed(emulator, config, rows, expected):
    """All ciphers, direct and by proxy; the last request and what opens its answer."""
    key_id, public_key, aeads = config
    check("X25519 comes with three ciphers", sorted(aeads) == [1, 2, 3])
    body = json.dumps({"x": rows}).encode()
    fields = [(b"date", formatdate(usegmt=True))]
    for aead in AEADS:
        request, opens = seal(key_id, public_key, aead, bhttp_request("/invocations", fields, body))
        status, said = answer_of(emulator.invoke(sealed_event(request)), opens)
        check(f"{aead.name}: a sealed event is answered sealed", status == 200)
        check(f"{aead.name}: with the results", near(said["result"], expected))
        request, opens = seal(key_id, public_key, aead, bhttp_request("/invocations", fields, body))
        status, headers, answer = emulator.http("/", request, SEALED_TYPE)
        check(f"{aead.name}: also by proxy", (status, headers["content-type"]) == (200, "message/ohttp-res"))
        status, _, said = bhttp_answer(opens(answer))
        check(f"{aead.name}: with the results", near(json.loads(said)["result"], expected))
    return request, opens


def refused(emulator, config, rows):
    key_id, public_key, _ = config
    body = json.dumps({"x": rows}).encode()
    aead = AEADId.AES256_GCM
    request, opens = seal(key_id, public_key, aead, bhttp_request("/invocations", [], body))
    status, said = answer_of(emulator.invoke(sealed_event(request)), opens)
    check("without a date it is refused, inside", (status, said["code"]) == (400, "date"))
    old = [(b"date", formatdate(time.time() - 310, usegmt=True))]
    request, opens = seal(key_id, public_key, aead, bhttp_request("/invocations", old, body))
    status, said = answer_of(emulator.invoke(sealed_event(request)), opens)
    check("so it is with an old one", (status, said["code"]) == (400, "date"))

    now = bhttp_request("/invocations", [(b"date", formatdate(usegmt=True))], body)
    stranger = X25519PrivateKey.generate().public_key()
    request, _ = seal(key_id, stranger.public_bytes(Encoding.Raw, PublicFormat.Raw), aead, now)
    check("what is sealed to another key is not opened", is_key_problem(emulator.invoke(sealed_event(request))))
    request, _ = seal(key_id, public_key, aead, now)
    flipped = request[:-1] + bytes([request[-1] ^ 1])
    check("nor is a flipped byte", is_key_problem(emulator.invoke(sealed_event(flipped))))
    status, _, answer = emulator.http("/", b"garbage", SEALED_TYPE)
    check("nor garbage", status == 400 and is_key_problem(json.loads(answer)))
    check("an event of no kind is refused", emulator.invoke({"y": rows[0]})["code"] == "input_unknown")
    check("no JSON is refused", "errorType" in emulator.invoke(b"{"))
    check("and the function goes on", "result" in emulator.invoke({"x": rows[0]}))


def near(found, expected):
    return len(found) == len(expected) and all(
        abs(one - other) < 1e-5 for one, other in zip(found, expected)
    )


def code(body):
    return json.loads(body)["code"]


def main():
    bin_dir, emulator_program, work = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    run(bin_dir / "sealgate", "keys", "generate", "--kek", "--out", work / "kek")
    train = ["model", "train", "--epochs", "3", "--skip-validation", "--out", work / "model"]
    run(bin_dir / "sealgate", *train)
    rows = [[round(10 + 0.37 * feature + row, 3) for feature in range(30)] for row in range(3)]
    (work / "rows.json").write_text(json.dumps(rows))
    scores = run(bin_dir / "sealgate", "model", "run", "--json", "--input", work / "rows.json", work / "model")
    expected = reference(json.loads(scores))

    remembers = "plain = true\n[sealed]\nkeys = 'function.keys'\nreplay_folder = 'opened'\n"
    forgets = "[sealed]\nkeys = 'function.keys'\nreplay = 'at-least-once'\n"
    folder = package(work, "remembers", remembers, bin_dir)
    emulator = Emulator(emulator_program, work)
    try:
        with Function(folder, emulator):
            in_the_clear(emulator, rows, expected)
            config, keyset = shown_keys(emulator, folder)
            check("it does not say that it opens again", "replay" not in keyset)
            request, opens = sealed(emulator, config, rows, expected)
            refused(emulator, config, rows)
            status, said = answer_of(emulator.invoke(sealed_event(request)), opens)
            check("what was opened is refused", (status, said["code"]) == (409, "replayed"))
        with Function(folder, emulator):
            status, said = answer_of(emulator.invoke(sealed_event(request)), opens)
            check("also by the next environment", (status, said["code"]) == (409, "replayed"))
        words = (folder / "stderr.log").read_text()
        check("its log holds none of the rows", words and str(rows[1][1]) not in words)

        open_again(emulator, package(work, "forgets", forgets, bin_dir), rows)
        not_started(emulator, folder)
    finally:
        emulator.end()


def open_again(emulator, folder, rows):
    with Function(folder, emulator):
        (key_id, public_key, _), keyset = shown_keys(emulator, folder)
        check("without a memory the keyset says so", keyset["replay"] == "at-least-once")
        body = json.dumps({"x": rows}).encode()
        message = bhttp_request("/invocations", [(b"date", formatdate(usegmt=True))], body)
        request, opens = seal(key_id, public_key, AEADId.AES256_GCM, message)
        answers = [answer_of(emulator.invoke(sealed_event(request)), opens) for _ in range(2)]
        check("and a request is opened again", [status for status, _ in answers] == [200, 200])
        check("nothing in the clear is answered", emulator.invoke({"x": rows[0]})["code"] == "sealed_only")


def not_started(emulator, folder):
    def why(**more):
        (folder / "stderr.log").write_text("")
        with Function(folder, emulator, **more) as function:
            return function.ended(), (folder / "stderr.log").read_text()

    status, words = why(AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    check("a snapshot is refused at the start", status == 78 and "SnapStart" in words)
    config = folder / "function.toml"
    written = config.read_text()
    config.write_text(written.replace("version = '1'", "version = '2'"))
    status, words = why()
    check("so are keys of another version", status == 78 and "another model" in words)
    config.write_text(written + "colour = 'red'\n")
    status, words = why()
    check("and an unknown member", status == 78 and "colour" in words)
    config.write_text(written.replace("replay_folder = 'opened'\n", ""))
    status, words = why()
    check("and sealed mode without a memory or a word", status == 78 and "at-least-once" in words)


def reference(report):
    """The scores of `sealgate model run --json`, one for each row."""
    return [score for (score,) in report["outputs"]]


if __name__ == "__main__":
    main()
