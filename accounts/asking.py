"""Asking a tenant's provider while a browser waits; owns for how long, how many at once, and what is remembered of it.

Whose server that is, its tenant decided, and it may never answer. So nobody waits longer than PATIENCE, few wait at
once, and whoever waits holds no connection of the database. What a provider published is kept for minutes, for that
tenant alone: what one tenant's name server led to is no word about another's provider.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from accounts.errors import ProviderBusy
from accounts.openid import Claims, Client, Question, claims_in, discover, fetch_keys, is_of_known_key, redeem
from core.http import SafeClient, check_url, tenant_policy

PATIENCE = 5.0  # seconds that all calls for one request may take together
AT_ONE_TENANT, AT_ONCE = 3, 8  # requests of this process that wait
KEPT_FOR = timedelta(minutes=5)
AFRESH_AFTER = timedelta(minutes=1)  # for a token whose key is not among those that are kept
MOST = 256  # documents

Name = tuple[str, str, str]  # tenant, issuer, what
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    document: Document
    at: datetime


_kept: OrderedDict[Name, _Kept] = OrderedDict()
_waiting: Counter[str] = Counter()
_lock = threading.Lock()


def document_of(tenant_id: str, issuer: str, now: datetime) -> Document:
    """What the provider says of itself, from memory or asked for. Raises ProviderFailed and ProviderBusy."""
    name = (tenant_id, issuer, "document")
    kept = _recall(name, now, KEPT_FOR)
    if kept is not None:
        return kept
    with _in_line(tenant_id, _http()) as http:
        return _note(name, discover(http, issuer), now)


def look_afresh(tenant_id: str, issuer: str, now: datetime, http: SafeClient | None = None) -> None:
    """Ask whatever is kept of the tenant's providers, which is forgotten.

    Raises UrlRefused for an address inside, ProviderFailed and ProviderBusy.
    """
    with _in_line(tenant_id, http or _http()) as client:
        if http is None:
            check_url(issuer, policy=tenant_policy(), field="issuer")
        document = discover(client, issuer)
    forget(tenant_id)
    _note((tenant_id, issuer, "document"), document, now)


def who_came(tenant_id: str, client: Client, question: Question, code: str, now: datetime) -> Claims:
    """Who it is, for the code that a browser brought back. Raises ProviderFailed, ProviderBusy and SignInRefused."""
    with _in_line(tenant_id, _http()) as http:
        name = (tenant_id, client.issuer, "document")
        document = _ask_once(name, KEPT_FOR, now, lambda: discover(http, client.issuer))
        token = redeem(http, document, client, question, code)
        keys = _keys_for(token, (tenant_id, client.issuer, "keys"), now, lambda: fetch_keys(http, document))
    return claims_in(token, keys, client, question.nonce)


def _keys_for(token: str, name: Name, now: datetime, fetch: Callable[[], Document]) -> Document:
    """A key that is not known is asked for, and not again for a while: anybody can write a name of a key."""
    keys = _ask_once(name, KEPT_FOR, now, fetch)
    return keys if is_of_known_key(token, keys) else _ask_once(name, AFRESH_AFTER, now, fetch)


def _ask_once(name: Name, for_: timedelta, now: datetime, ask: Callable[[], Document]) -> Document:
    kept = _recall(name, now, for_)
    return kept if kept is not None else _note(name, ask(), now)


def _recall(name: Name, now: datetime, for_: timedelta) -> Document | None:
    with _lock:
        kept = _kept.get(name)
    return kept.document if kept is not None and timedelta(0) <= now - kept.at < for_ else None


def _note(name: Name, document: Document, now: datetime) -> Document:
    with _lock:
        _kept[name] = _Kept(document, now)
        _kept.move_to_end(name)
        while len(_kept) > MOST:
            _kept.popitem(last=False)
    return document


def forget(tenant_id: str) -> None:
    """In this process; others come to it within minutes."""
    with _lock:
        for name in [name for name in _kept if name[0] == tenant_id]:
            del _kept[name]


@contextmanager
def _in_line(tenant_id: str, http: SafeClient) -> Iterator[SafeClient]:
    """Wait for the provider, with a client that gives up in time. Raises ProviderBusy."""
    with _lock:
        if _waiting[tenant_id] >= AT_ONE_TENANT or _waiting.total() >= AT_ONCE:
            raise ProviderBusy()
        _waiting.update([tenant_id])
    try:
        if not connection.in_atomic_block:
            connection.close()  # back into the pool; whoever needs one later gets another
        yield http.within(PATIENCE)
    finally:
        with _lock:
            _waiting.subtract([tenant_id])
            if not _waiting[tenant_id]:
                del _waiting[tenant_id]


def _http() -> SafeClient:
    return SafeClient(tenant_policy())
