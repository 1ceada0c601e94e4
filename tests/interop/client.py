"""A client of client-sealed mode that shares no line with Sealgate: pyhpke, X25519.

Oblivious HTTP (RFC 9458) and binary HTTP (RFC 9292) are written out here from their texts.
"""

import http.client
import json
import os
import ssl
import sys
import urllib.parse
from email.utils import formatdate
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyhpke import AEADId, CipherSuite, KDFId, KEMId

KEM = KEMId.DHKEM_X25519_HKDF_SHA256
PUBLIC_KEY_BYTES = 32
# Cipher and key length.
AEADS = {
    AEADId.AES256_GCM: (AESGCM, 32),
    AEADId.AES128_GCM: (AESGCM, 16),
    AEADId.CHACHA20_POLY1305: (ChaCha20Poly1305, 32),
}
KEY_PROBLEM = "https://iana.org/assignments/http-problem-types#ohttp-key"


class Gateway:
    """The demo's gateway, over TLS with the demo's own authority."""

    def __init__(self, facts):
        self.model = facts["model"]
        self.example = Path(facts["example"]).read_bytes()
        self._token = Path(facts["token"]).read_text().strip()
        self._address = urllib.parse.urlsplit(facts["url"])
        self._tls = ssl.create_default_context(cafile=facts["ca"])

    def ask(self, method, path, body=None, content_type=None):
        connection = http.client.HTTPSConnection(
            self._address.hostname, self._address.port, timeout=30, context=self._tls
        )
        headers = {"authorization": f"Bearer {self._token}"}
        if content_type:
            headers["content-type"] = content_type
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def keys(listed):
    """RFC 9458, section 3.2: each configuration after its length; key ids by KEM, with suites."""
    found = {}
    while listed:
        size = int.from_bytes(listed[:2], "big")
        config, listed = listed[2 : 2 + size], listed[2 + size :]
        kem = int.from_bytes(config[1:3], "big")
        if kem == KEM.value:
            key, rest = config[3 : 3 + PUBLIC_KEY_BYTES], config[3 + PUBLIC_KEY_BYTES :]
            suites = rest[2 : 2 + int.from_bytes(rest[:2], "big")]
            pairs = [suites[i : i + 4] for i in range(0, len(suites), 4)]
            aeads = [int.from_bytes(p[2:], "big") for p in pairs if p[:2] == b"\0\1"]
            found[kem] = (config[0], key, aeads)
    return found


def seal(key_id, public_key, aead, message):
    """RFC 9458, section 4.3 and 4.4: the sealed request, and what opens its answer."""
    header = bytes([key_id]) + b"".join(
        part.to_bytes(2, "big") for part in (KEM.value, KDFId.HKDF_SHA256.value, aead.value)
    )
    suite = CipherSuite.new(KEM, KDFId.HKDF_SHA256, aead)
    recipient = suite.kem.deserialize_public_key(public_key)
    enc, context = suite.create_sender_context(recipient, b"message/bhttp request\0" + header)
    sealed = context.seal(message)

    cipher, key_bytes = AEADS[aead]
    nonce_bytes = max(key_bytes, 12)
    secret = context.export(b"message/bhttp response", nonce_bytes)

    def open_answer(answer):
        nonce, ciphertext = answer[:nonce_bytes], answer[nonce_bytes:]

        def derive(info, length):
            return HKDF(SHA256(), length, salt=enc + nonce, info=info).derive(secret)

        return cipher(derive(b"key", key_bytes)).decrypt(derive(b"nonce", 12), ciphertext, None)

    return header + enc + sealed, open_answer


def bhttp_request(path, headers, body):
    """RFC 9292, section 3.1: a known-length request, padded to a power of two."""
    control = b"".join(vector(part) for part in (b"POST", b"https", b"", path.encode()))
    fields = b"".join(vector(name) + vector(value.encode()) for name, value in headers)
    message = b"\0" + control + vector(fields) + vector(body) + vector(b"")
    room = max(1024, 1 << (len(message) - 1).bit_length())
    return message.ljust(room, b"\0")


def bhttp_answer(message):
    """RFC 9292, section 3.1: status, fields and content of a known-length response."""
    assert message[0] == 1, "a known-length response"
    status, rest = integer(message[1:])
    section, rest = take(rest)
    content, rest = take(rest)
    assert not any(rest), "an empty trailer, and zeros"
    fields = {}
    while section:
        name, section = take(section)
        fields[name.decode()], section = take(section)
    return status, fields, content


def vector(value):
    return varint(len(value)) + value


def varint(number):
    """RFC 9000, section 16."""
    for bits, size in ((6, 1), (14, 2), (30, 4)):
        if number < 1 << bits:
            return (number | (size.bit_length() - 1) << (bits)).to_bytes(size, "big")
    raise ValueError(number)


def integer(message):
    size = 1 << (message[0] >> 6)
    mask = (1 << (8 * size - 2)) - 1
    return int.from_bytes(message[:size], "big") & mask, message[size:]


def take(message):
    size, rest = integer(message)
    assert size <= len(rest), "not cut"
    return rest[:size], rest[size:]


def probability(body):
    (score,) = json.loads(body)["outputs"][0]["data"]
    return score


def check(what, holds):
    if not holds:
        sys.exit(f"pyhpke: FAILED: {what}")
    print(f"pyhpke: {what}")


def main():
    gateway = Gateway(json.loads(Path(sys.argv[1]).read_text()))
    infer = f"/v2/models/{gateway.model}/infer"
    status, headers, listed = gateway.ask("GET", f"/v1/models/{gateway.model}/ohttp-keys")
    check("the key list is served", status == 200)
    check("it has its media type", headers["content-type"] == "application/ohttp-keys")
    key_id, public_key, aeads = keys(listed)[KEM.value]
    check("X25519 comes with three ciphers", sorted(aeads) == [1, 2, 3])

    status, _, body = gateway.ask("POST", infer, gateway.example, "application/json")
    check("the plain call is answered", status == 200)
    expected = probability(body)
    check("its answer is a probability", 0 <= expected <= 1)

    fields = [
        (b"content-type", "application/json"),
        (b"accept", "application/json"),
        (b"date", formatdate(usegmt=True)),
    ]
    message = bhttp_request(infer, fields, gateway.example)
    for aead in AEADS:
        request, open_answer = seal(key_id, public_key, aead, message)
        status, headers, sealed = gateway.ask("POST", infer, request, "message/ohttp-req")
        check(f"{aead.name}: the sealed request is answered", status == 200)
        check(f"{aead.name}: by a sealed answer", headers["content-type"] == "message/ohttp-res")
        status, inner, body = bhttp_answer(open_answer(sealed))
        check(f"{aead.name}: which says 200 inside", status == 200)
        check(f"{aead.name}: with the same probability", probability(body) == expected)
        check(f"{aead.name}: and a receipt", inner["sealgate-receipt"].startswith(b"{"))

        status, headers, body = gateway.ask("POST", infer, request, "message/ohttp-req")
        check(f"{aead.name}: the same bytes again are refused", is_key_problem(status, body))

    request, _ = seal(key_id, public_key, AEADId.AES256_GCM, message)
    at = len(request) - 1 - os.urandom(1)[0]
    flipped = request[:at] + bytes([request[at] ^ 1]) + request[at + 1 :]
    status, headers, body = gateway.ask("POST", infer, flipped, "message/ohttp-req")
    check("a flipped byte of the ciphertext is refused", is_key_problem(status, body))


def is_key_problem(status, body):
    return status == 400 and json.loads(body)["type"] == KEY_PROBLEM


if __name__ == "__main__":
    main()
