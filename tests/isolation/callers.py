"""Everybody who is not acme, as browsers and programs: whose credentials, on which host, and what may come back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.test import Client

from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.api import Role, Scope, Tenant, create_api_key
from tests import cast
from tests.isolation.estate import Estate, member
from tests.isolation.surfaces import METHODS, Address

OPERATORS = "localhost"
HOSTS = {"operators": OPERATORS, "acme": "acme.localhost", "own": ""}
_ALL = ("anonymous", "globex's key", "globex's owner")
# What a route may answer to somebody whose object it does not name, by surface. 405 and 415 are about the method.
NO = frozenset({401, 403, 404, 405, 415})


@dataclass(frozen=True, slots=True)
class Caller:
    """`tenant` is whose credentials these are, None for nobody's."""

    name: str
    tenant: Tenant | None
    client: Callable[[str], Client]

    def host(self, where: str) -> str:
        own = f"{self.tenant.slug}.localhost" if self.tenant else OPERATORS
        return HOSTS[where] or own


def _anonymous(on: Estate) -> Caller:
    return Caller("anonymous", None, lambda host: Client(SERVER_NAME=host))


def _with_key(player: cast.Player) -> Caller:
    """A key that may all that a key may."""
    with platform_scope():
        scopes = [scope.value for scope in Scope]
        _, plaintext = create_api_key(
            tenant_id=player.tenant.id, name="all", acting=cast.TESTER, now=utc_now(), scopes=scopes
        )
    headers = {"HTTP_AUTHORIZATION": f"Bearer {plaintext}"}
    return Caller(f"{player.tenant.slug}'s key", player.tenant, lambda host: Client(SERVER_NAME=host, **headers))


def _signed_in(tenant: Tenant, account: Any, name: str) -> Caller:
    def open_browser(host: str) -> Client:
        browser = Client(SERVER_NAME=host)
        browser.force_login(account)
        return browser

    return Caller(name, tenant, open_browser)


def _with_role(role: Role) -> Callable[[Estate], Caller]:
    def make(on: Estate) -> Caller:
        tenant = on.globex.tenant
        return _signed_in(tenant, member(tenant, role, utc_now()), f"globex's {role.lower()}")

    return make


CALLERS: Mapping[str, Callable[[Estate], Caller]] = {
    "anonymous": _anonymous,
    "key": lambda on: _with_key(on.globex),
    "suspended-key": lambda on: _with_key(on.initech),
    "suspended-session": lambda on: _signed_in(on.initech.tenant, on.initech.owner, "ian"),
    "archived-session": lambda on: _signed_in(on.umbrella.tenant, on.umbrella.owner, "uma"),
    **{f"{role.lower()}-session": _with_role(role) for role in Role},
}


def methods_of(caller: Caller, where: str, address: Address) -> tuple[str, ...]:
    """Which methods this caller tries there: all by those that stand for their kind, the telling ones by the others.

    LUMOS_SMOKE=full has everybody try everything everywhere.
    """
    if os.environ.get("LUMOS_SMOKE") == "full":
        return METHODS
    at_home = (address.surface == "admin") == (where == "operators") or address.surface in ("rest", "open")
    if not at_home:
        return ("GET",) if caller.name in _ALL else ()
    return METHODS if caller.name in _ALL else ("GET", "POST", "DELETE")


def poison(on: Estate, ids: Mapping[str, str]) -> dict[str, Any]:
    """A body in which every field that could name an object names one of acme's."""
    tenant = on.acme.tenant
    return {
        **{name: tenant.id for name in ("tenant", "tenant_id", "id", "pk")},
        **ids,
        "conversation": ids.get("conversation_id", ""),
        "turns": [{"role": "user", "content": "mine now"}],
        "action": "revoke_selected",
        "_selected_action": on.acme.key.pk,
        "confirmed": "1",
        "role": "OWNER",
        "email": "mallory@globex.example",
        "name": "taken",
        "reason": "taken",
        "value": 1,
        "model": "demo-chat",
        "plan": "free",
    }


def send(client: Client, method: str, address: Address, body: Mapping[str, Any]) -> Any:
    """One request; bodies as the surface reads them."""
    call = getattr(client, method.lower())
    if method in ("GET", "HEAD", "OPTIONS"):
        return call(address.path)
    if address.surface == "rest" or "turns" in address.path:
        return call(address.path, dict(body), content_type="application/json")
    return client.generic(method, address.path, _form(body), content_type="application/x-www-form-urlencoded")


def _form(body: Mapping[str, Any]) -> str:
    return urlencode({name: str(value) for name, value in body.items()})


@contextmanager
def undone() -> Iterator[None]:
    """What was written inside is taken back, so that each request meets the same world."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
