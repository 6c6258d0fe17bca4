"""Keyed hashes and sealed values; owns algorithms, key versions and associated data, never a plain secret at rest.

Sealed values are envelopes: a fresh 256-bit data key encrypts the text with AES-256-GCM, the master key encrypts
the data key, and both bind the context (what the value belongs to), so that a sealed value moved to another row
does not open. Hashes are HMAC-SHA256 with a versioned pepper.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets as random
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.conf import secrets
from core.errors import LumosError

_FORMAT = "v1"
_NONCE = 12
_BLOCK = 64


class SealBroken(LumosError):
    code = "seal_broken"
    title = "A sealed value cannot be opened: wrong master key, or the value was moved or changed"


def _new_key() -> str:
    return base64.b64encode(random.token_bytes(32)).decode()


def _key(name: str) -> bytes:
    return base64.b64decode(secrets().get(name, _new_key))


def current_version(purpose: str) -> int:
    """The pepper version that new hashes of this purpose use."""
    return int(secrets().find(f"{purpose}_pepper_current") or 1)


def pepper(purpose: str, version: int) -> bytes:
    return _key(f"{purpose}_pepper_v{version}")


def hmac_digest(value: str, purpose: str, version: int | None = None) -> str:
    """HMAC-SHA256 of `value`, hexadecimal, under the pepper of that purpose and version."""
    key = pepper(purpose, current_version(purpose) if version is None else version)
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()


class KeyedHash:
    """HMAC-SHA256 (RFC 2104) under one key, with both of its blocks absorbed ahead: for a hash on every request."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __repr__(self) -> str:
        return "KeyedHash()"

    def hexdigest(self, message: bytes) -> str:
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()


def _encrypt(key: bytes, plain: bytes, context: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, context.encode())


def _decrypt(key: bytes, sealed: bytes, context: str) -> bytes:
    return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], context.encode())


def seal(plaintext: str, *, context: str) -> str:
    """An envelope `v1.<data key>.<text>` that only opens with the master key and the same context."""
    data_key = AESGCM.generate_key(bit_length=256)
    parts = (
        _encrypt(_key("master_key_v1"), data_key, context),
        _encrypt(data_key, plaintext.encode(), context),
    )
    return ".".join([_FORMAT, *(base64.urlsafe_b64encode(part).decode() for part in parts)])


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key under a version of the key-encryption key; opens with that version and its context only."""

    version: int
    sealed: bytes = field(repr=False)


def current_kek() -> int:
    """The version of the key-encryption key that new data keys are wrapped with."""
    return int(secrets().find("master_key_current") or 1)


def new_data_key(*, context: str) -> WrappedKey:
    """A fresh 256-bit key, wrapped with AES-256-GCM; `context` names what it belongs to (table, row, field)."""
    return wrap_key(AESGCM.generate_key(bit_length=256), context=context)


def wrap_key(data_key: bytes, *, context: str) -> WrappedKey:
    version = current_kek()
    return WrappedKey(version, _encrypt(_key(f"master_key_v{version}"), data_key, f"{context}|{version}"))


def unwrap_key(wrapped: WrappedKey, *, context: str) -> bytes:
    """The data key itself, never to be stored; raises SealBroken."""
    try:
        key = _key(f"master_key_v{wrapped.version}")
        return _decrypt(key, wrapped.sealed, f"{context}|{wrapped.version}")
    except (InvalidTag, ValueError) as error:
        raise SealBroken() from error


def unseal(sealed: str, *, context: str) -> str:
    """The plain text of an envelope; raises SealBroken."""
    try:
        version, wrapped, text = sealed.split(".")
        if version != _FORMAT:
            raise ValueError(version)
        data_key = _decrypt(_key("master_key_v1"), base64.urlsafe_b64decode(wrapped), context)
        return _decrypt(data_key, base64.urlsafe_b64decode(text), context).decode()
    except (InvalidTag, ValueError) as error:
        raise SealBroken() from error
