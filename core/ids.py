"""Opaque, sortable identifiers; owns their making and their prefixed form at the rim.

Format: ULID (github.com/ulid/spec): 48 bits of milliseconds and 80 random bits in 26 characters of Crockford's
base 32, here in lower case because the same text names PostgreSQL schemas and roles.
"""

from __future__ import annotations

import os
import re
import time

from core.errors import InvalidInput

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_ULID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


def new_ulid(milliseconds: int | None = None) -> str:
    """A new identifier, 26 lower-case characters, ordered by the millisecond it was made in."""
    moment = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    number = (moment << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in range(120, -1, -10)])


def is_ulid(text: str) -> bool:
    return _ULID.fullmatch(text) is not None


def prefixed(kind: str, identifier: str) -> str:
    """The form shown outside, such as `ten_01j…`."""
    return f"{kind}_{identifier}"


def parse_prefixed(kind: str, text: str) -> str:
    """The bare identifier of `<kind>_<ulid>`; raises InvalidInput for anything else."""
    prefix, _, identifier = text.partition("_")
    if prefix != kind or not is_ulid(identifier):
        raise InvalidInput(f"Expected an id of the form {kind}_…", fields={"id": [f"is not a {kind}_ id"]})
    return identifier
