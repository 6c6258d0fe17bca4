"""Keyed hashes and sealed values; owns algorithms, formats and associated data, never a plain secret at rest.

What the platform seals is an envelope `v2.<version>.<data key>.<text>`: a fresh 256-bit key encrypts the text with
AES-256-GCM and binds the context (what the value belongs to), so that a value moved to another row does not open; the
master key of that version encrypts the data key and binds the version. So a rotation wraps the data key anew without
knowing the context. What is a tenant's is `t1.<text>` under the tenant's own data key. Hashes are HMAC-SHA256 with a
versioned pepper.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import secrets as random
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.conf import secrets
from core.errors import LumosError
from core.master_keys import Sealed, lacking, master_key
from core.master_keys import current_version as current_kek

_OLDEST, _ENVELOPE, _OWN = "v1", "v2", "t1"
_WRAPPING = "lumos|data key"
WRAPPED = r"\.([A-Za-z0-9_-]{80})\."  # what follows the version: nonce, 32 bytes and tag, in base64
_TOKEN = re.compile(r"v2\.([1-9][0-9]{0,4})" + WRAPPED)
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


def place(table: str, row: str, field: str, tenant: str = "") -> str:
    """The context of a sealed field: where it stands and whose it is. The version is added by what seals."""
    return "|".join((table, row, field, tenant))


def seal(plaintext: str, *, context: str) -> str:
    """An envelope that only opens with the master key of its version and the same context. Raises Sealed."""
    version = current_kek()
    data_key = AESGCM.generate_key(bit_length=256)
    wrapped = _encrypt(master_key(version), data_key, f"{_WRAPPING}|{version}")
    text = _encrypt(data_key, plaintext.encode(), f"{context}|{_ENVELOPE}")
    return f"{_ENVELOPE}.{version}.{_text(wrapped)}.{_text(text)}"


def unseal(sealed: str, *, context: str) -> str:
    """The plain text of an envelope; raises SealBroken, and Sealed when its version of the master key is missing."""
    try:
        form, *parts = sealed.split(".")
        if form == _ENVELOPE:
            version, wrapped, text = parts
            data_key = _decrypt(master_key(int(version)), _raw(wrapped), f"{_WRAPPING}|{version}")
            return _decrypt(data_key, _raw(text), f"{context}|{_ENVELOPE}").decode()
        if form != _OLDEST:
            raise ValueError(form)
        wrapped, text = parts
        data_key = _decrypt(master_key(1), _raw(wrapped), context)
        return _decrypt(data_key, _raw(text), context).decode()
    except (InvalidTag, ValueError) as error:
        raise SealBroken() from error


def is_oldest_form(sealed: str) -> bool:
    """Whether it was sealed by the first releases: only who knows its context can seal it anew."""
    return sealed.startswith(f"{_OLDEST}.")


def rewrapped(text: str, version: int) -> str:
    """`text` with each envelope in it wrapped by that version of the master key; raises Sealed.

    What only looks like an envelope stays as it is.
    """

    def wrap_anew(found: re.Match[str]) -> str:
        data_key = _unwrapped(found)
        if data_key is None or int(found[1]) == version:
            return found[0]
        wrapped = _encrypt(master_key(version), data_key, f"{_WRAPPING}|{version}")
        return f"{_ENVELOPE}.{version}.{_text(wrapped)}."

    return _TOKEN.sub(wrap_anew, text)


def versions_in(text: str) -> list[int]:
    """The version of the master key that each envelope in `text` needs."""
    needed = lacking()
    found = [(int(each[1]), each) for each in _TOKEN.finditer(text)]
    return [version for version, each in found if version in needed or _unwrapped(each) is not None]


def _unwrapped(found: re.Match[str]) -> bytes | None:
    """The data key of what looks like an envelope; None for what is none, and what none of our versions wrapped."""
    try:
        return _decrypt(master_key(int(found[1])), _raw(found[2]), f"{_WRAPPING}|{found[1]}")
    except (InvalidTag, ValueError, Sealed):
        return None


def seal_under(key: bytes, plaintext: str, *, context: str) -> str:
    """`t1.<text>` under a tenant's data key; opens with that key and the same context only."""
    return f"{_OWN}.{_text(_encrypt(key, plaintext.encode(), f'{context}|{_OWN}'))}"


def unseal_under(key: bytes, sealed: str, *, context: str) -> str:
    """The plain text; raises SealBroken."""
    form, _, text = sealed.partition(".")
    try:
        if form != _OWN:
            raise ValueError(form)
        return _decrypt(key, _raw(text), f"{context}|{_OWN}").decode()
    except (InvalidTag, ValueError) as error:
        raise SealBroken() from error


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key under a version of the key-encryption key; opens with that version and its context only."""

    version: int
    sealed: bytes = field(repr=False)


def new_data_key(*, context: str) -> WrappedKey:
    """A fresh 256-bit key, wrapped with AES-256-GCM; `context` names what it belongs to. Raises Sealed."""
    return wrap_key(AESGCM.generate_key(bit_length=256), context=context, version=current_kek())


def wrap_key(data_key: bytes, *, context: str, version: int) -> WrappedKey:
    return WrappedKey(version, _encrypt(master_key(version), data_key, f"{context}|{version}"))


def unwrap_key(wrapped: WrappedKey, *, context: str) -> bytes:
    """The data key itself, never to be stored; raises SealBroken and Sealed."""
    try:
        return _decrypt(master_key(wrapped.version), wrapped.sealed, f"{context}|{wrapped.version}")
    except (InvalidTag, ValueError) as error:
        raise SealBroken() from error
