"""A sign-in whose password was right and whose second step is still to come; owns its mark in the session.

Nobody is signed in by it, and it opens nothing: it only says which account may give its second factor, where, and
until when.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.data import Place

WAITS_FOR = timedelta(minutes=10)
_WAITING = "waiting_sign_in"


@dataclass(frozen=True, slots=True)
class Waiting:
    """`password_mark` changes with the account's password, `back_to` is where the person wanted to go.

    `issuer` is that of the tenant's provider where its word was the first step.
    """

    account_id: int
    realm: str
    password_mark: str
    back_to: str
    by: str = "password"
    issuer: str = ""


def note_waiting(session: MutableMapping[str, Any], waiting: Waiting, now: datetime) -> None:
    session[_WAITING] = {
        "account": waiting.account_id,
        "realm": waiting.realm,
        "password": waiting.password_mark,
        "back_to": waiting.back_to,
        "by": waiting.by,
        "issuer": waiting.issuer,
        "at": now.timestamp(),
    }


def waiting_in(session: Mapping[str, Any], place: Place, now: datetime) -> Waiting | None:
    """The sign-in that waits in this session at that place; None when there is none or it waited too long."""
    found = session.get(_WAITING)
    if not isinstance(found, dict) or found["realm"] != place.realm:
        return None
    if now - datetime.fromtimestamp(found["at"], tz=now.tzinfo) >= WAITS_FOR:
        return None
    by, issuer = found["by"], found.get("issuer", "")
    return Waiting(found["account"], found["realm"], found["password"], found["back_to"], by, issuer)


def first_step(session: Mapping[str, Any]) -> str:
    """What the sign-in that waits in this session was begun by."""
    return str(session[_WAITING]["by"])


def forget_waiting(session: MutableMapping[str, Any]) -> None:
    session.pop(_WAITING, None)
