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
    chance = os.urandom(10)
    # Two halves of 40 bits stay in machine words, which a number of 128 bits does not: this runs for each request.
    high, low = int.from_bytes(chance[:5], "big"), int.from_bytes(chance[5:], "big")
    return "".join((*_five(moment), *_four(high), *_four(low)))


def _five(moment: int) -> tuple[str, str, str, str, str]:
    return (_PAIRS[moment >> 40 & 1023], *_four(moment))


def _four(bits: int) -> tuple[str, str, str, str]:
    return _PAIRS[bits >> 30 & 1023], _PAIRS[bits >> 20 & 1023], _PAIRS[bits >> 10 & 1023], _PAIRS[bits & 1023]


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
