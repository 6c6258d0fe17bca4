"""The keys that sign access tokens: Ed25519, numbered in the secrets file; owns their storage and public form.

A key is told by its RFC 7638 thumbprint. Every process looks at the file again when it changed, so that a new key needs
no restart.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count, takewhile

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from core.conf import secrets
from tenants.sessions.ring import KeyAge, valid_keys

_NAME = "access_token_key"


@dataclass(frozen=True, slots=True)
class SigningKey(KeyAge):
    """One key pair; the private part is never printed."""

    kid: str = ""
    public: str = ""
    private: Ed25519PrivateKey = field(kw_only=True, repr=False)


def signing_keys(now: datetime) -> list[SigningKey]:
    """All keys in the order in which they were made; the first one is made here when there is none."""
    first = secrets().get(f"{_NAME}_v1", lambda: _new(now, at_once=False))
    further = takewhile(bool, (secrets().find(f"{_NAME}_v{version}") for version in count(2)))
    return [_parsed(text) for text in (first, *further) if text]


def add_key(now: datetime, *, at_once: bool) -> SigningKey:
    """One more key; see `ring` for when it signs. Two calls at the same moment add one or two."""
    version = len(signing_keys(now)) + 1
    return _parsed(secrets().get(f"{_NAME}_v{version}", lambda: _new(now, at_once=at_once)))


def jwks(now: datetime) -> dict[str, list[dict[str, str]]]:
    """The public keys as RFC 8037 writes them."""
    return {
        "keys": [
            {**_jwk(key.public), "kid": key.kid, "use": "sig", "alg": "EdDSA"}
            for key in valid_keys(signing_keys(now), now)
        ]
    }


def _new(now: datetime, *, at_once: bool) -> str:
    """`<epoch seconds>.<planned or now>.<base64 of the private key>`."""
    raw = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
    return f"{int(now.timestamp())}.{'now' if at_once else 'planned'}.{raw}"


@lru_cache(maxsize=32)
def _parsed(text: str) -> SigningKey:
    made, hurry, raw = text.split(".")
    private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(raw))
    public = base64.urlsafe_b64encode(private.public_key().public_bytes_raw()).decode().rstrip("=")
    made_at = datetime.fromtimestamp(int(made), tz=UTC)
    return SigningKey(made_at, hurry == "now", _thumbprint(public), public, private=private)


def _jwk(public: str) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": public}


def _thumbprint(public: str) -> str:
    """RFC 7638: SHA-256 of the required members in lexicographic order."""
    canonical = json.dumps(_jwk(public), separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(canonical.encode()).digest()).decode().rstrip("=")
