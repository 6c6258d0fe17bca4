"""Signatures under chains' heads: Ed25519, keys by version in the secrets file, public keys for everybody.

A key is told by its id, made of the public key itself, so that a head names the key that it was signed with.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.chain.links import head_message
from audit.data import SignedHead
from core.conf import secrets

_NAME = "audit_signing_key"


def sign_head(*, chain: str, sequence: int, hash: str, sealed_at: datetime) -> SignedHead:
    """The head under the current key."""
    text = secrets().get(f"{_NAME}_v{_current_version()}", _new_key)
    message = head_message(chain=chain, sequence=sequence, hash=hash, sealed_at=sealed_at)
    signature = _private(text).sign(message).hex()
    return SignedHead(chain, sequence, hash, sealed_at, key_id_of(_public_text(text)), signature)


def has_valid_signature(head: SignedHead, keys: Mapping[str, str] | None = None) -> bool:
    """Whether the head was signed by a key among `keys`, by default this installation's."""
    public = (public_keys() if keys is None else keys).get(head.key_id)
    if public is None or key_id_of(public) != head.key_id:
        return False
    message = head_message(chain=head.chain, sequence=head.sequence, hash=head.hash, sealed_at=head.sealed_at)
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(bytes.fromhex(head.signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_keys() -> dict[str, str]:
    """Key id to public key (base64 of its 32 bytes), of every version that the secrets file holds."""
    versions = range(1, _current_version() + 1)
    publics = [_public_text(text) for version in versions if (text := secrets().find(f"{_NAME}_v{version}"))]
    return {key_id_of(public): public for public in publics}


def key_id_of(public: str) -> str:
    return "ed25519:" + hashlib.sha256(public.encode()).hexdigest()[:16]


def _current_version() -> int:
    return int(secrets().find(f"{_NAME}_current") or 1)


def _new_key() -> str:
    return base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


@lru_cache(maxsize=8)
def _private(text: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text))


@lru_cache(maxsize=8)
def _public_text(text: str) -> str:
    return base64.b64encode(_private(text).public_key().public_bytes_raw()).decode()
