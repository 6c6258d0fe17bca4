"""What a letter carries to prove that its reader got it; owns how long it holds, and that it works once.

A keyed hash over the account and what using it changes: nothing is stored, and after the change it is void. The key is
the installation's, never in the database.
"""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from enum import StrEnum

from core.crypto import current_version, hmac_digest

_PEPPER = "account_letter"


class Purpose(StrEnum):
    RESET = "reset"
    ADDRESS = "address"


VALID_FOR = {Purpose.RESET: timedelta(hours=1), Purpose.ADDRESS: timedelta(days=3)}


def letter_token(purpose: Purpose, *, account_id: int, state: str, now: datetime) -> str:
    """`state` is what using the token changes, such as the stored password."""
    at = int(now.timestamp())
    version = current_version(_PEPPER)
    return f"{account_id}-{at}-{version}-{_digest(purpose, account_id, at, state, version)}"


def account_in(token: str) -> int:
    """The account that a token speaks of, which may be a lie; 0 when it is no token."""
    parts = token.split("-")
    numbers = parts[:3]
    whole = token.isascii() and len(parts) == 4 and all(part.isdecimal() and len(part) < 16 for part in numbers)
    return int(parts[0]) if whole else 0


def holds(token: str, purpose: Purpose, *, state: str, now: datetime) -> bool:
    """Whether the token is ours, for this purpose, not too old, and not used yet."""
    account_id = account_in(token)
    if not account_id:
        return False
    _account, at, version, digest = token.split("-")
    if not 1 <= int(version) <= current_version(_PEPPER):
        return False
    age = now.timestamp() - int(at)
    ours = hmac.compare_digest(_digest(purpose, account_id, int(at), state, int(version)), digest)
    return ours and -1 <= age < VALID_FOR[purpose].total_seconds()


def _digest(purpose: Purpose, account_id: int, at: int, state: str, version: int) -> str:
    return hmac_digest(f"{purpose}|{account_id}|{at}|{state}", _PEPPER, version)
