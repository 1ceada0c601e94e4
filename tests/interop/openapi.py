"""The OpenAPI document against the specification, and a real gateway's answers against the document.

    python3 tests/interop/openapi.py DEMO_JSON

Every operation that is described is asked; each answer must have a described status, media type and
form, and so must refusals.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from scene import Scene, context_of

JSON = "application/json"
# What is asked of a path with a body.
BODIES = {
    "/v2/models/{model}/infer": "example",
    "/v2/models/{model}/versions/{version}/infer": "example",
    "/v1/models/{model}:predict": "instances",
    "/v1/models/{model}/versions/{version}:predict": "instances",
    "/invocations": "x",
    "/v2/repository/index": "nothing",
}
QUERIES = {"/v1/attestation": "?nonce=" + "ab" * 32}


class Document:
    def __init__(self, text):
        self.root = json.loads(text)
        validate(self.root)
        resource = Resource(contents=self.root, specification=DRAFT202012)
        self.registry = Registry().with_resource("openapi", resource)

    def at(self, pointer):
        value = self.root
        for part in pointer.removeprefix("#/").split("/"):
            value = value[unquote(part).replace("~1", "/").replace("~0", "~")]
        return value

    def resolved(self, value):
        return self.at(value["$ref"]) if "$ref" in value else value

    def holds(self, schema, value, what):
        """Whether a value has the described form, references of the document included."""
        schema = absolute(schema)
        validator = Draft202012Validator(schema, registry=self.registry)
        wrong = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]
        assert not wrong, (what, wrong[:3], value)


def absolute(schema):
    """The same schema with its references into the document."""
    if isinstance(schema, dict):
        return {
            key: f"openapi{value}" if key == "$ref" else absolute(value)
            for key, value in schema.items()
        }
    return [absolute(value) for value in schema] if isinstance(schema, list) else schema


def ask(scene, method, path, token=True, body=None, headers=()):
    """Status, media type, body."""
    headers = dict(headers) | (scene.headers() if token else {})
    request = urllib.request.Request(
        f"https://{scene.address}{path}", body, headers, method=method.upper()
    )
    try:
        answer = urllib.request.urlopen(request, context=context_of(scene), timeout=30)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers.get_content_type(), answer.read(), answer.headers


def described(document, operation, status):
    """What the document says of an answer with this status."""
    responses = operation["responses"]
    return document.resolved(responses.get(str(status), responses["default"]))


def check(document, operation, answer, what):
    status, media_type, body, headers = answer
    said = described(document, operation, status)
    content = said.get("content", {})
    assert media_type in content, (what, status, media_type, list(content))
    if media_type.endswith("json"):
        document.holds(content[media_type]["schema"], json.loads(body), what)
    for name in said.get("headers", {}):
        optional = name.lower() in ("inference-header-content-length", "retry-after")
        assert optional or name in headers, (what, name)


def bodies(scene):
    row = json.loads(scene.example)["inputs"][0]["data"]
    return {
        "example": scene.example,
        "instances": json.dumps({"instances": [row]}).encode(),
        "x": json.dumps({"x": row}).encode(),
        "nothing": b"",
    }


def well(document, scene):
    """Every operation, asked as it should be."""
    kinds, last_id = bodies(scene), None
    for path, operations in document.root["paths"].items():
        for method, operation in operations.items():
            if path == "/v1/audit/proof/{request_id}":
                continue
            asked = path.replace("{model}", scene.model).replace("{version}", "1")
            body = kinds[BODIES[path]] if method == "post" else None
            token = operation.get("security") != []
            headers = {"Content-Type": JSON} if body else {}
            answer = ask(scene, method, asked + QUERIES.get(path, ""), token, body, headers)
            assert answer[0] == 200, (path, answer)
            check(document, operation, answer, f"{method} {path}")
            last_id = answer[3].get("sealgate-request-id", last_id)
            yield f"openapi: {method} {path}"
    path = "/v1/audit/proof/{request_id}"
    operation = document.root["paths"][path]["get"]
    for _ in range(50):
        # Until the next checkpoint it is a refusal, which is described as well.
        answer = ask(scene, "get", path.replace("{request_id}", last_id))
        check(document, operation, answer, path)
        if answer[0] == 200:
            yield f"openapi: get {path}"
            return
        time.sleep(0.1)
    raise AssertionError(answer)


def refusals(document, scene):
    infer = document.root["paths"]["/v2/models/{model}/infer"]["post"]
    path = f"/v2/models/{scene.model}/infer"
    json_body = {"Content-Type": JSON}
    for what, status, answer in [
        ("no token", 401, ask(scene, "post", path, False, scene.example, json_body)),
        ("another model", 403, ask(scene, "post", "/v2/models/no/infer", True, b"{}", json_body)),
        ("another version", 404, ask(
            scene, "post", path.replace("/infer", "/versions/9/infer"), True, scene.example, json_body
        )),
        ("no JSON", 400, ask(scene, "post", path, True, b"{", json_body)),
        ("too large", 413, ask(scene, "post", path, True, bytes(5 << 20), json_body)),
        ("another method", 405, ask(scene, "delete", path)),
    ]:
        assert answer[0] == status, (what, answer)
        check(document, infer, answer, what)
        yield f"openapi: {what} is a problem as described"


def binary(document, scene):
    """A binary answer has its own media type and the field that divides it."""
    operation = document.root["paths"]["/v2/models/{model}/infer"]["post"]
    request = json.loads(scene.example)
    request["parameters"] = {"binary_data_output": True}
    path = f"/v2/models/{scene.model}/infer"
    answer = ask(scene, "post", path, True, json.dumps(request).encode(), {"Content-Type": JSON})
    assert answer[0] == 200 and "inference-header-content-length" in answer[3], answer
    check(document, operation, answer, "binary")
    yield "openapi: a binary answer"
    request_schema = operation["requestBody"]["content"][JSON]["schema"]
    document.holds(request_schema, json.loads(scene.example), "the example")
    yield "openapi: the demo's example is a request as described"


def main():
    scene = Scene(json.loads(Path(sys.argv[1]).read_text()))
    text = ask(scene, "get", "/openapi.json", False)[2]
    document = Document(text)
    print("ok  openapi: the document is one", flush=True)
    for checks in (well, refusals, binary):
        for done in checks(document, scene):
            print(f"ok  {done}", flush=True)


main()
