"""What a session has proved, and when; owns the mark in it. Knows an account by its number only, and asks nobody.

A session may be open without a second factor where none is asked for. The operators' site, REST by an operator's
session, and portals whose tenant demands a second factor look at the mark on each request. The mark names its account,
so it means nothing for another one.

A session is somebody only on the site where it was opened: what opened it may prove nothing elsewhere, as the word of
one tenant's identity provider, or a passkey of one host.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest

FRESH_FOR = timedelta(minutes=10)
_PROOF = "proof"
_OPENED_AT = "opened_at"


def note_proof(session: MutableMapping[str, Any], *, account_id: int, factor: bool, now: datetime) -> None:
    """The account was proved just now. Only a second factor makes `factor` true, and it stays so."""
    factor = factor or _has_factor(session, account_id)
    session[_PROOF] = {"account": account_id, "factor": factor, "at": now.timestamp()}


def note_opened_at(session: MutableMapping[str, Any], tenant_id: str) -> None:
    """Somebody was signed in on that tenant's portal; with an empty id, on the operators' site."""
    session[_OPENED_AT] = tenant_id


def is_opened_at(session: Mapping[str, Any], tenant_id: str) -> bool:
    """Whether the session is of that site. One without the mark is of before there was one."""
    return bool(session.get(_OPENED_AT, tenant_id) == tenant_id)


def has_proved_factor(request: HttpRequest) -> bool:
    """Whether this session's account proved a second factor in it."""
    account_id = getattr(request.user, "pk", None)  # REST leaves None where it refused somebody
    return account_id is not None and _has_factor(request.session, account_id)


def is_fresh(request: HttpRequest, now: datetime) -> bool:
    """Whether the account proved itself in the last minutes, as sensitive changes ask for."""
    mark = _mark(request.session, request.user.pk or 0)
    return timedelta(0) <= now - datetime.fromtimestamp(mark.get("at", 0), tz=now.tzinfo) < FRESH_FOR


def _has_factor(session: Mapping[str, Any], account_id: int) -> bool:
    return _mark(session, account_id).get("factor") is True


def _mark(session: Mapping[str, Any], account_id: int) -> Mapping[str, Any]:
    mark = session.get(_PROOF)
    return mark if isinstance(mark, dict) and mark.get("account") == account_id else {}
