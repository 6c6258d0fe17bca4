"""How refresh tokens look; owns their making and recognising, stores none.

`lum_refr_` + session (26) + 32 base-62 characters (190 random bits) + a mark of 32 hexadecimal characters. The mark is
an HMAC over the rest: what we never gave out is refused before any query, and what we did give out is told from it, so
that nobody ends another's session by inventing an old token of it.
"""

from __future__ import annotations

import hmac
import re
import secrets
import string
from dataclasses import dataclass, field

from core.crypto import current_version, hmac_digest

PREFIX = "lum_refr_"
DIGEST, MARK = "refresh_token", "refresh_token_mark"  # the peppers' names
_ALPHABET = string.digits + string.ascii_letters
_SHAPE = re.compile(PREFIX + r"([0-7][0-9a-hjkmnp-tv-z]{25})([0-9A-Za-z]{32})([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One that was given out here. `digests` are what may be stored for it, the current pepper's first."""

    session_id: str
    text: str = field(repr=False)

    @property
    def digests(self) -> list[str]:
        return [hmac_digest(self.text, DIGEST, version) for version in range(current_version(DIGEST), 0, -1)]


def new_refresh_token(session_id: str) -> RefreshToken:
    body = session_id + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return RefreshToken(session_id, f"{PREFIX}{body}{_mark(body, current_version(MARK))}")


def parse_refresh_token(text: str) -> RefreshToken | None:
    """None for what was never given out here."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    session_id, chance, mark = found.groups()
    versions = range(current_version(MARK), 0, -1)
    if not any(hmac.compare_digest(mark, _mark(session_id + chance, version)) for version in versions):
        return None
    return RefreshToken(session_id, text)


def _mark(body: str, version: int) -> str:
    return hmac_digest(body, MARK, version)[:32]
