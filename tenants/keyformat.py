"""How credentials look; pure, so that a mistyped key is refused before any I/O.

`lum_<kind>_` + 32 base-62 characters (190 random bits) + 6 base-62 characters of the CRC-32 of all before them. The
shape follows what secret scanners look for: a fixed prefix and a checksum.
"""

from __future__ import annotations

import re
import secrets
from binascii import crc32

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SHAPE = re.compile(r"lum_(live|test|oper)_[0-9A-Za-z]{38}")
_RANDOM, _CHECK = 32, 6


def _checksum(text: str) -> str:
    number = crc32(text.encode())
    digits = ""
    for _ in range(_CHECK):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def new_key(kind: str) -> str:
    """A fresh credential; `kind` is live, test or oper."""
    body = f"lum_{kind}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM))
    return body + _checksum(body)


def is_well_formed(text: str) -> bool:
    """Whether prefix, alphabet, length and checksum are right; says nothing on whether the key exists."""
    return _SHAPE.fullmatch(text) is not None and _checksum(text[:-_CHECK]) == text[-_CHECK:]
