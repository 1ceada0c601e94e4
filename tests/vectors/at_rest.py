#!/usr/bin/env python3
"""Makes tests/vectors/at_rest.json: sealed model files, computed a second time.

Independent of the Rust code: HKDF, Argon2id and AES-GCM come from the Python package
`cryptography` (`pip install cryptography`), and the layout is written down here anew from
docs/protocol.md. Long files are given by their SHA-256.

    python3 tests/vectors/at_rest.py > tests/vectors/at_rest.json
"""

import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

CHUNK = 65_536


def expand(secret: bytes, label: bytes) -> bytes:
    return HKDFExpand(algorithm=hashes.SHA256(), length=32, info=label).derive(secret)


def canonical(value) -> bytes:
    """RFC 8785, for text, integers, lists and objects with ASCII names."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def header(artifact: bytes, dek: bytes) -> bytes:
    return canonical({
        "format": 1,
        "cipher": "AES-256-GCM",
        "chunk_bytes": CHUNK,
        "bytes": len(artifact),
        "sha256": hashlib.sha256(artifact).hexdigest(),
        "commitment": expand(dek, b"sealgate at-rest commitment v1").hex(),
    })


def chunks(artifact: bytes, dek: bytes, head: bytes) -> bytes:
    cipher = AESGCM(expand(dek, b"sealgate at-rest chunk-key v1"))
    count = max(1, -(-len(artifact) // CHUNK))
    out = b""
    for index in range(count):
        nonce = index.to_bytes(11, "big") + bytes([index == count - 1])
        chunk = artifact[index * CHUNK:(index + 1) * CHUNK]
        out += cipher.encrypt(nonce, chunk, b"sealgate at-rest chunk v1" + head)
    return out


def wrapped(kek: bytes, salt: bytes, label: bytes, dek: bytes, head: bytes, kind: str, ident: str) -> str:
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt, info=label).derive(kek)
    identity = hashlib.sha256(head).digest()
    context = b"sealgate at-rest dek wrap v1" + identity + kind.encode() + b"\0" + ident.encode()
    return base64.b64encode(AESGCM(key).encrypt(bytes(12), dek, context)).decode()


def key_file_wrap(kek: bytes, salt: bytes, dek: bytes, head: bytes) -> dict:
    ident = expand(kek, b"sealgate at-rest kek id v1")[:16].hex()
    label = b"sealgate at-rest key-file wrap v1"
    return {
        "kind": "key-file",
        "id": ident,
        "parameters": {"salt": base64.b64encode(salt).decode()},
        "wrapped": wrapped(kek, salt, label, dek, head, "key-file", ident),
    }


def passphrase_wrap(passphrase: bytes, cost: dict, ident: str, salt: bytes, dek: bytes, head: bytes) -> dict:
    kek = Argon2id(
        salt=salt,
        length=32,
        iterations=cost["passes"],
        lanes=cost["lanes"],
        memory_cost=cost["memory_kib"],
    ).derive(passphrase)
    label = b"sealgate at-rest passphrase wrap v1"
    return {
        "kind": "passphrase",
        "id": ident,
        "parameters": {"salt": base64.b64encode(salt).decode(), **cost},
        "wrapped": wrapped(kek, salt, label, dek, head, "passphrase", ident),
    }


def sealed_file(head: bytes, wraps: bytes, body: bytes) -> bytes:
    length = struct.Struct(">I").pack
    return b"sealgate sealed model 1\n" + length(len(head)) + head + length(len(wraps)) + wraps + body


def main() -> None:
    kek, passphrase = bytes(range(32)), "Grüße an die Zahlen".encode()
    cost = {"memory_kib": 64, "passes": 2, "lanes": 2}
    ident = bytes([5] * 16).hex()
    cases = []
    for size in [0, 1, 300, CHUNK, CHUNK + 1, 3 * CHUNK]:
        artifact = bytes(i % 251 for i in range(size))
        dek = bytes((7 * i + size) % 256 for i in range(32))
        salts = [bytes((11 * i + size + n) % 256 for i in range(32)) for n in range(2)]
        head = header(artifact, dek)
        wraps = canonical([
            key_file_wrap(kek, salts[0], dek, head),
            passphrase_wrap(passphrase, cost, ident, salts[1], dek, head),
        ])
        file = sealed_file(head, wraps, chunks(artifact, dek, head))
        case = {
            "bytes": size,
            "dek": dek.hex(),
            "salts": [salt.hex() for salt in salts],
            "header": head.decode(),
            "wraps": wraps.decode(),
            "file_sha256": hashlib.sha256(file).hexdigest(),
        }
        if len(file) < 4096:
            case["file"] = file.hex()
        cases.append(case)
    vectors = {
        "kek": kek.hex(),
        "kek_id": expand(kek, b"sealgate at-rest kek id v1")[:16].hex(),
        "passphrase": passphrase.hex(),
        "passphrase_id": ident,
        "cost": cost,
        "cases": cases,
    }
    print(json.dumps(vectors, indent=1))


main()
