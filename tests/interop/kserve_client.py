"""KServe's client, as it is installed, over REST (V1 and V2) and gRPC. Run by hand: it takes 450 MB.

    python3 -m venv /tmp/kserve && /tmp/kserve/bin/pip install kserve==0.21.0
    /tmp/kserve/bin/python tests/interop/kserve_client.py DEMO_JSON
"""

import asyncio
import json
import logging
import ssl
import sys
import urllib.parse
from pathlib import Path

import grpc
import httpx
import numpy
from kserve import InferInput, InferRequest, InferenceGRPCClient, InferenceRESTClient
from kserve.inference_client import RESTConfig


def request(model, rows, binary):
    tensor = InferInput("x", list(rows.shape), "FP32")
    tensor.set_data_from_numpy(rows, binary_data=binary)
    return InferRequest(model_name=model, infer_inputs=[tensor], request_id="7")


async def over_rest(url, model, headers, authority, row):
    def client(protocol):
        verify = ssl.create_default_context(cafile=authority)
        return InferenceRESTClient(RESTConfig(protocol=protocol, verify=verify, retries=0))

    v1, v2 = client("v1"), client("v2")
    assert await v1.is_server_live(url)
    assert await v1.is_model_ready(url, model, headers=headers)
    answer = await v1.infer(url, {"instances": row.tolist()}, model, headers=dict(headers))
    ((plain,),) = answer["predictions"]
    yield "V1: liveness, readiness, prediction"
    assert await v2.is_server_live(url) and await v2.is_server_ready(url)
    assert await v2.is_model_ready(url, model, headers=headers)
    yield "V2: liveness, readiness"
    for binary in (False, True):
        asked = request(model, row, binary)
        answer = await v2.infer(url, asked, model, headers=dict(headers))
        assert answer.id == "7"
        score = answer.outputs[0].as_numpy()
        assert score.astype(numpy.float32).item() == numpy.float32(plain), (score, plain)
        yield f"V2: {'binary, as by default' if binary else 'JSON'}"
    for named, status in [({}, 401), (headers, 403)]:
        name = model if status == 401 else "no-such-model"
        try:
            await v2.infer(url, request(name, row, True), name, headers=dict(named))
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == status, error
        else:
            raise AssertionError("it was not refused")
    yield "V2: refusals have their status"


async def over_grpc(address, model, headers, authority, row):
    metadata = list(headers.items())
    async with InferenceGRPCClient(address, use_ssl=True, root_certificates=authority) as client:
        assert await client.is_server_live(headers=[]) and await client.is_server_ready(headers=[])
        assert await client.is_model_ready(model, headers=metadata)
        yield "liveness, readiness"
        for binary in (False, True):
            answer = await client.infer(request(model, row, binary), headers=metadata)
            assert answer.id == "7" and answer.outputs[0].as_numpy().shape == (1, 1), answer
            yield f"{'raw' if binary else 'by datatype'}"
        try:
            await client.infer(request(model, row, True))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAUTHENTICATED, error
        else:
            raise AssertionError("it was not refused")
        yield "refusals have their status"


async def main():
    facts = json.loads(Path(sys.argv[1]).read_text())
    model, authority = facts["model"], facts["ca"]
    headers = {"authorization": f"Bearer {Path(facts['token']).read_text().strip()}"}
    data = json.loads(Path(facts["example"]).read_text())["inputs"][0]["data"]
    row = numpy.array(data, numpy.float32).reshape(1, -1)
    address = urllib.parse.urlsplit(facts["url"]).netloc
    async for done in over_rest(facts["url"], model, headers, authority, row):
        print(f"ok  kserve over REST: {done}", flush=True)
    async for done in over_grpc(address, model, headers, authority, row):
        print(f"ok  kserve over gRPC: {done}", flush=True)


# It logs what it raises.
logging.disable()
asyncio.run(main())
