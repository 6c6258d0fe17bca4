"""A passkey in software, as WebAuthn has it (Level 3, sections 6 and 7): made, and used to answer challenges."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode

_PRESENT, _VERIFIED, _ATTESTED = 1, 4, 64


@dataclass
class Device:
    """`origin` is what it tells of the page; `verified` whether it asked for a finger or a PIN."""

    origin: str
    verified: bool = True
    key: Any = field(default_factory=lambda: generate_private_key(SECP256R1()))
    id: bytes = b"a passkey of the tests"
    handle: str = ""

    def make(self, options: dict[str, Any]) -> str:
        asked = options["publicKey"]
        self.handle = asked["user"]["id"]
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        data = self._data(asked["rp"]["id"], _ATTESTED) + attested
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        answer = {"clientDataJSON": self._client("webauthn.create", asked), "attestationObject": encoded(attestation)}
        return self._whole(answer)

    def use(self, options: dict[str, Any], *, rp: str = "") -> str:
        asked = options["publicKey"]
        data, client = self._data(rp or asked["rpId"], 0), self._client("webauthn.get", asked)
        signed = data + hashlib.sha256(decoded(client)).digest()
        signature = self.key.sign(signed, ECDSA(SHA256()))
        answer = {"clientDataJSON": client, "authenticatorData": encoded(data), "signature": encoded(signature)}
        return self._whole({**answer, "userHandle": self.handle})

    def _data(self, rp: str, more: int) -> bytes:
        flags = _PRESENT | (_VERIFIED if self.verified else 0) | more
        return hashlib.sha256(rp.encode()).digest() + struct.pack(">BI", flags, 0)

    def _client(self, kind: str, asked: dict[str, Any]) -> str:
        said = {"type": kind, "challenge": asked["challenge"], "origin": self.origin, "crossOrigin": False}
        return encoded(json.dumps(said).encode())

    def _whole(self, answer: dict[str, str]) -> str:
        name = encoded(self.id)
        return json.dumps(
            {"id": name, "rawId": name, "type": "public-key", "response": answer, "clientExtensionResults": {}}
        )


def encoded(content: bytes) -> str:
    return websafe_encode(content)


def decoded(text: str) -> bytes:
    return websafe_decode(text)
