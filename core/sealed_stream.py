"""Files too large for one seal: AES-256-GCM in chunks; owns the format, keeps no key.

The STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár (2015): the nonce of a chunk is a random prefix of
7 bytes, the chunk's number in 4, and a byte that marks the last one. So a chunk that was changed, moved, left out or
cut off does not open, and neither does a file whose header was changed, because its digest is associated data.

    b"LUMOS1" | header length, 4 bytes | header, JSON | prefix, 7 bytes | chunks: length, 4 bytes | ciphertext and tag
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.crypto import SealBroken

MAGIC = b"LUMOS1"
CHUNK = 1 << 20
_PREFIX, _TAG, _LONGEST_HEADER = 7, 16, 1 << 16


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


class SealedWriter:
    """Seals what is written to it into `target`. Without `close` the file does not open, so a torn one is noticed."""

    def __init__(self, target: BinaryIO, key: bytes, header: Mapping[str, str]) -> None:
        self._target, self._cipher = target, AESGCM(key)
        text = json.dumps(dict(header), sort_keys=True).encode()
        self._prefix, self._number, self._waiting = os.urandom(_PREFIX), 0, bytearray()
        self._associated = hashlib.sha256(text).digest()
        target.write(MAGIC + struct.pack(">I", len(text)) + text + self._prefix)

    def write(self, data: bytes) -> int:
        self._waiting += data
        while len(self._waiting) > CHUNK:  # the last chunk is never empty-handed: it is kept back until close
            self._chunk(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def _chunk(self, plain: bytes, *, last: bool) -> None:
        sealed = self._cipher.encrypt(_nonce(self._prefix, self._number, last), plain, self._associated)
        self._target.write(struct.pack(">I", len(sealed)) + sealed)
        self._number += 1

    def close(self) -> None:
        self._chunk(bytes(self._waiting), last=True)
        self._waiting.clear()


def read_header(source: BinaryIO) -> dict[str, str]:
    """The header of a sealed file, not proven yet; raises SealBroken for a file that is none of ours."""
    if source.read(len(MAGIC)) != MAGIC:
        raise SealBroken("This is not a sealed file of Lumos")
    (length,) = struct.unpack(">I", _exactly(source, 4))
    if length > _LONGEST_HEADER:
        raise SealBroken("The header of this file is longer than any that was ever written")
    try:
        header: dict[str, str] = json.loads(_exactly(source, length))
    except ValueError as error:
        raise SealBroken("The header of this file cannot be read") from error
    return header


class SealedReader:
    """The plain bytes of a sealed file, from behind its header on; raises SealBroken at the first wrong chunk."""

    def __init__(self, source: BinaryIO, key: bytes, header: Mapping[str, str]) -> None:
        self._source, self._cipher = source, AESGCM(key)
        self._associated = hashlib.sha256(json.dumps(dict(header), sort_keys=True).encode()).digest()
        self._prefix, self._number, self._ended, self._ready = _exactly(source, _PREFIX), 0, False, bytearray()

    def read(self, size: int = -1) -> bytes:
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._ready += self._next()
        wanted = len(self._ready) if size < 0 else size
        taken = bytes(self._ready[:wanted])
        del self._ready[:wanted]
        return taken

    def _next(self) -> bytes:
        (length,) = struct.unpack(">I", _exactly(self._source, 4))
        if not _TAG <= length <= CHUNK + _TAG:
            raise SealBroken("A chunk of this file has an impossible length")
        sealed = _exactly(self._source, length)
        # Only the last chunk is short, but one that is full may be the last too: its nonce tells.
        for last in (False, True) if length == CHUNK + _TAG else (True,):
            try:
                plain = self._cipher.decrypt(_nonce(self._prefix, self._number, last), sealed, self._associated)
            except InvalidTag:
                continue
            self._number, self._ended = self._number + 1, last
            if last and self._source.read(1):
                raise SealBroken("Something was added to the end of this file")
            return plain
        raise SealBroken("A chunk of this file was changed, moved or sealed under another key")


def _exactly(source: BinaryIO, length: int) -> bytes:
    data = source.read(length)
    if len(data) != length:
        raise SealBroken("This file was cut off")
    return data
