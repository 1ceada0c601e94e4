"""Clients of the Open Inference Protocol as people install them: tritonclient over HTTP and gRPC.

Nothing of them is changed; all they are given is an authority and a token.
"""

import json
import sys
from pathlib import Path

import numpy
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

from scene import Scene, grpc, http, infer_input, refused


def over_http(scene):
    client, headers = http(scene), scene.headers()

    def ask(inputs, **named):
        # The client writes its own fields into what it is given.
        return client.infer(scene.model, inputs, headers=scene.headers(), **named)

    plain = ask(
        [infer_input(triton_http, scene.row, binary_data=False)],
        outputs=[triton_http.InferRequestedOutput("probability", binary_data=False)],
    ).as_numpy("probability")
    assert plain.shape == (1, 1), plain
    yield "http: JSON"
    default = ask([infer_input(triton_http, scene.row)], request_id="7")
    assert default.get_response()["id"] == "7"
    assert default.as_numpy("probability").tobytes() == plain.tobytes()
    yield "http: binary, as by default"
    for algorithm in ("gzip", "deflate"):
        packed = ask(
            [infer_input(triton_http, scene.row)],
            request_compression_algorithm=algorithm,
            response_compression_algorithm=algorithm,
        )
        assert packed.as_numpy("probability").tobytes() == plain.tobytes()
        yield f"http: {algorithm}"
    label = ask(
        [infer_input(triton_http, scene.row)],
        outputs=[triton_http.InferRequestedOutput("label")],
    ).as_numpy("label")
    assert label.shape == (1, 1), label
    yield "http: a class as bytes"

    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(scene.model, headers=headers)
    assert client.is_model_ready(scene.model, "1", headers=headers)
    yield "http: health"
    assert client.get_server_metadata(headers=headers)["name"] == "sealgate"
    metadata = client.get_model_metadata(scene.model, headers=headers)
    assert metadata["inputs"][0]["shape"] == [-1, scene.row.shape[1]], metadata
    config = client.get_model_config(scene.model, headers=headers)
    assert config["max_batch_size"] > 0, config
    digest = config["parameters"]["model_digest"]["string_value"]
    assert metadata["parameters"]["model_digest"] == digest and len(digest) == 64, metadata
    for of in (scene.model, ""):
        stats = client.get_inference_statistics(of, headers=headers)
        assert [model["name"] for model in stats["model_stats"]] == [scene.model], stats
    yield "http: metadata, configuration, statistics"
    index = client.get_model_repository_index(headers=headers)
    assert [model["name"] for model in index] == [scene.model], index
    yield "http: repository index"

    told = refused(client.infer, scene.model, [infer_input(triton_http, scene.row)])
    assert told.status() == "401" and "decode" not in told.message(), told
    told = refused(client.infer, "no-such", [infer_input(triton_http, scene.row)], headers=scene.headers())
    assert told.status() == "403", told
    bad = scene.row.copy()
    bad[0, 3] = numpy.nan
    told = refused(ask, [infer_input(triton_http, bad)])
    assert told.status() == "400" and "row 0, feature 3" in told.message(), told
    yield "http: refusals come with their sentence"


def over_grpc(scene):
    client, headers = grpc(scene), scene.headers()
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(scene.model, headers=headers)
    yield "grpc: health"
    assert client.get_server_metadata(headers=headers).name == "sealgate"
    metadata = client.get_model_metadata(scene.model, headers=headers)
    assert list(metadata.inputs[0].shape) == [-1, scene.row.shape[1]], metadata
    config = client.get_model_config(scene.model, headers=headers).config
    assert config.max_batch_size > 0 and list(config.input[0].dims) == [scene.row.shape[1]], config
    assert len(config.parameters["model_digest"].string_value) == 64, config
    for of in (scene.model, ""):
        stats = client.get_inference_statistics(of, headers=headers)
        assert [model.name for model in stats.model_stats] == [scene.model], stats
    index = client.get_model_repository_index(headers=headers)
    assert [model.name for model in index.models] == [scene.model], index
    yield "grpc: metadata, configuration, statistics, repository index"

    rows = numpy.repeat(scene.row, 32, axis=0)
    plain = http(scene).infer(
        scene.model, [infer_input(triton_http, rows)], headers=scene.headers()
    )
    answer = client.infer(
        scene.model, [infer_input(triton_grpc, rows)], request_id="7", headers=headers
    )
    assert answer.get_response().id == "7"
    probability = answer.as_numpy("probability")
    assert probability.tobytes() == plain.as_numpy("probability").tobytes()
    yield "grpc: 32 rows, the same bits as over HTTP"
    label = client.infer(
        scene.model,
        [infer_input(triton_grpc, scene.row)],
        outputs=[triton_grpc.InferRequestedOutput("label")],
        headers=headers,
    ).as_numpy("label")
    assert label.shape == (1, 1), label
    yield "grpc: a class as bytes"

    row = [infer_input(triton_grpc, scene.row)]
    for times in range(100):
        told = refused(client.infer, scene.model, row)
        assert told.status() == "StatusCode.UNAUTHENTICATED", (times, told)
    told = refused(client.infer, "no-such", row, headers=headers)
    assert told.status() == "StatusCode.PERMISSION_DENIED", told
    bad = scene.row.copy()
    bad[0, 3] = numpy.nan
    told = refused(client.infer, scene.model, [infer_input(triton_grpc, bad)], headers=headers)
    assert told.status() == "StatusCode.INVALID_ARGUMENT", told
    assert "row 0, feature 3" in told.message(), told
    # Fewer rows would not shrink, and go uncompressed.
    many = [infer_input(triton_grpc, rows)]
    told = refused(client.infer, scene.model, many, headers=headers, compression_algorithm="gzip")
    assert told.status() == "StatusCode.UNIMPLEMENTED", told
    yield "grpc: refusals have their status and sentence"


def main():
    scene = Scene(json.loads(Path(sys.argv[1]).read_text()))
    for clients in (over_http, over_grpc):
        for done in clients(scene):
            print(f"ok  {done}", flush=True)


main()
