"""What the clients of the Open Inference Protocol are given: an authority and a token."""

import json
import ssl
import urllib.parse
from pathlib import Path

import numpy
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.utils import InferenceServerException


class Scene:
    """A demo, by its `demo.json`."""

    def __init__(self, facts):
        self.address = urllib.parse.urlsplit(facts["url"]).netloc
        self.authority = facts["ca"]
        self.model = facts["model"]
        self.token = Path(facts["token"]).read_text().strip()
        self.state = Path(facts["policies"]).parent
        self.example = Path(facts["example"]).read_bytes()
        data = json.loads(self.example)["inputs"][0]["data"]
        self.row = numpy.array(data, numpy.float32).reshape(1, -1)

    def headers(self, token=None):
        return {"authorization": f"Bearer {token or self.token}"}


def context_of(scene):
    return ssl.create_default_context(cafile=scene.authority)


def http(scene):
    def context(**_):
        return context_of(scene)

    return triton_http.InferenceServerClient(
        scene.address, ssl=True, ssl_context_factory=context, network_timeout=30
    )


def grpc(scene):
    return triton_grpc.InferenceServerClient(
        scene.address, ssl=True, root_certificates=scene.authority
    )


def infer_input(library, rows, **how):
    tensor = library.InferInput("x", rows.shape, "FP32")
    tensor.set_data_from_numpy(rows, **how)
    return tensor


def refused(call, *arguments, **named):
    """What a client says of a refusal; whatever is no refusal fails."""
    try:
        call(*arguments, **named)
    except InferenceServerException as error:
        return error
    raise AssertionError("it was not refused")
