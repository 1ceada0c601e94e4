#!/usr/bin/env python3
"""Makes tests/vectors/hop.json: the hop's key schedule, envelope, control frames and
session context, computed a second time.

Independent of the Rust code: HKDF and AES-GCM come from the Python package `cryptography`
(`pip install cryptography`), and the layout is written down here anew from docs/protocol.md.

    python3 tests/vectors/hop.py > tests/vectors/hop.json
"""

import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

HEADER = struct.Struct(">IBBHIQ")  # payload length, version, kind, zero, epoch, id
CONTROL, REQUEST, SEALED_REQUEST, ANSWER = 3, 4, 5, 6


def expand(secret: bytes, label: bytes, epoch: int) -> bytes:
    info = label + struct.pack(">I", epoch)
    return HKDFExpand(algorithm=hashes.SHA256(), length=32, info=info).derive(secret)


def extract(salt: bytes, key_material: bytes) -> bytes:
    mac = hmac.HMAC(salt, hashes.SHA256())
    mac.update(key_material)
    return mac.finalize()


def nonce(counter: int) -> bytes:
    return b"\0\0\0\0" + struct.pack(">Q", counter)


def epoch_keys(session: bytes, epoch: int) -> dict:
    chain = session
    for earlier in range(epoch):
        chain = expand(chain, b"sealgate chain next v1", earlier)
    return {
        "kek_request": expand(chain, b"sealgate kek request v1", epoch),
        "kek_answer": expand(chain, b"sealgate kek answer v1", epoch),
    }


def request_frame(keys, kind, label, epoch, ident, dek, grant, message) -> bytes:
    length = 4 + len(grant) + 48 + len(message) + 16
    header = HEADER.pack(length, 1, kind, 0, epoch, ident)
    wrapped = AESGCM(keys["kek_request"]).encrypt(nonce(ident), dek, b"sealgate dek wrap v1" + header)
    sealed = AESGCM(dek).encrypt(nonce(0), message, label + header + grant)
    return header + struct.pack(">I", len(grant)) + grant + wrapped + sealed


def answer_frame(keys, epoch, ident, dek, answer_nonce, outcome, message) -> bytes:
    length = 4 + len(outcome) + 32 + len(message) + 16
    header = HEADER.pack(length, 1, ANSWER, 0, epoch, ident)
    info = b"sealgate answer v1" + header[8:]
    prk = extract(answer_nonce, keys["kek_answer"] + dek)
    key = HKDFExpand(algorithm=hashes.SHA256(), length=32, info=info).derive(prk)
    sealed = AESGCM(key).encrypt(nonce(0), message, b"sealgate answer v1" + header + outcome)
    return header + struct.pack(">I", len(outcome)) + outcome + answer_nonce + sealed


def cbor_head(major: int, value: int) -> bytes:
    """The head of a CBOR item (RFC 8949, section 3), shortest form."""
    if value < 24:
        return bytes([major << 5 | value])
    if value < 256:
        return bytes([major << 5 | 24, value])
    if value < 65536:
        return bytes([major << 5 | 25]) + struct.pack(">H", value)
    return bytes([major << 5 | 26]) + struct.pack(">I", value)


def text(value: str) -> bytes:
    return cbor_head(3, len(value)) + value.encode()


def octets(value: bytes) -> bytes:
    return cbor_head(2, len(value)) + value


NULL = b"\xf6"


def grant(mode: int, ciphertext_sha256: bytes | None) -> bytes:
    fields = [
        octets(bytes([1] * 16)),  # request id
        text("c-1"),  # caller
        text("general-hospital"),  # tenant
        text("breast-cancer"),  # model
        text("1"),  # version
        cbor_head(0, 0),  # action: infer
        cbor_head(0, 300),  # rows reserved
        cbor_head(4, 1) + text("radius_mean"),  # declared fields
        cbor_head(4, 2) + cbor_head(0, 1) + cbor_head(4, 1) + cbor_head(0, 2),  # rounded to 2 digits
        octets(bytes([2] * 32)),  # policy digest
        cbor_head(0, mode),
        octets(ciphertext_sha256) if ciphertext_sha256 else NULL,
        cbor_head(0, 10_000),  # valid for, in milliseconds
        b"\xf4",  # not beside rows of another tenant
    ]
    return cbor_head(4, len(fields)) + b"".join(fields)


def outcome() -> bytes:
    fields = [
        cbor_head(0, 200),
        text("ok"),
        cbor_head(0, 1),
        octets(bytes([4] * 32)),
        text("1"),
        cbor_head(0, 5),
        cbor_head(0, 6),
        cbor_head(0, 7),
        octets(bytes([8] * 32)),  # receipt digest
        cbor_head(0, 13),  # busy, in microseconds
    ]
    return cbor_head(4, len(fields)) + b"".join(fields)


def control(session: bytes) -> dict:
    """Both directions' keys, and the first frame to the worker: `[1, [part]]`."""
    to_worker = expand(session, b"sealgate control to-worker v1", 0)
    to_gateway = expand(session, b"sealgate control to-gateway v1", 0)
    part = cbor_head(4, 1) + octets(bytes([1, 2]))
    message = cbor_head(4, 2) + cbor_head(0, 1) + part
    header = HEADER.pack(len(message) + 16, 1, CONTROL, 0, 0, 0)
    return {
        "to_worker_key": to_worker.hex(),
        "to_gateway_key": to_gateway.hex(),
        "message": message.hex(),
        "frame": (header + AESGCM(to_worker).encrypt(nonce(0), message, header)).hex(),
    }


def identity() -> bytes:
    fields = [
        cbor_head(0, 1),  # version
        octets(bytes([9] * 3)),  # hop key: only its place is shown here
        text("b"),  # build
        text("flex"),  # engine
        cbor_head(0, 2),  # threads
        octets(bytes([7] * 32)),  # build digest
        cbor_head(4, 1) + text("landlock: enforced"),  # sandbox
        b"\xf5",  # enforced: true
    ]
    return cbor_head(4, len(fields)) + b"".join(fields)


def session_context() -> dict:
    digest = hashlib.sha256(b"sealgate keyset v1" + identity()).digest()
    suite = struct.pack(">HHH", 0x647A, 0x0001, 0x0002)
    roles = b"gateway" + b"worker"
    info = b"sealgate hop session v1" + struct.pack(">H", 1) + roles + suite + digest
    return {"identity": identity().hex(), "identity_digest": digest.hex(), "info": info.hex()}


def main() -> None:
    session = bytes(range(32))
    cases = []
    for epoch, ident, mode in [(0, 0, 0), (0, 70_000, 1), (1, 3, 0), (2, 2**33, 0)]:
        keys = epoch_keys(session, epoch)
        dek = bytes((7 * i + epoch) % 256 for i in range(32))
        answer_nonce = bytes((11 * i + epoch) % 256 for i in range(32))
        message = bytes(i % 251 for i in range(100 + epoch))
        kind = SEALED_REQUEST if mode else REQUEST
        label = b"sealgate request client-sealed v1" if mode else b"sealgate request gateway-sealed v1"
        permission = grant(mode, hashlib.sha256(message).digest() if mode else None)
        frame = request_frame(keys, kind, label, epoch, ident, dek, permission, message)
        answer = answer_frame(keys, epoch, ident, dek, answer_nonce, outcome(), b"score" * 9)
        cases.append({
            "epoch": epoch,
            "id": ident,
            "grant": permission.hex(),
            "message": message.hex(),
            "request_frame": frame.hex(),
            "dek": dek.hex(),
            "outcome": outcome().hex(),
            "answer_message": (b"score" * 9).hex(),
            "answer_frame": answer.hex(),
        })
    vectors = {
        "session_secret": session.hex(),
        "session": session_context(),
        "control": control(session),
        "cases": cases,
    }
    print(json.dumps(vectors, indent=1))


main()
