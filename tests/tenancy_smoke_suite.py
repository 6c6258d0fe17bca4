"""Every route, every method, acme's objects, everybody else's credentials: no mark of acme's is seen, no row changed.

The routes come from the URLconfs, the gateway's table and the sockets; one that nobody said how to fill fails here (see
tests/isolation/surfaces.py). acme's every text bears a mark (canaries.py), and a digest over all its rows tells whether
anything of it was changed (fingerprints.py).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, path

from lumos_site.access.routes import OPERATORS_HOST, TENANTS_HOST, Unclassified
from tests.isolation.callers import CALLERS, NO, Caller, methods_of, poison, send, undone
from tests.isolation.canaries import seen, unmarked
from tests.isolation.estate import Estate
from tests.isolation.fingerprints import fingerprint
from tests.isolation.standing import standing  # noqa: F401 - a fixture
from tests.isolation.surfaces import OBJECTS, Address, addresses

pytestmark = pytest.mark.django_db
# A workspace's name stands on the page where its people sign in, for whoever knows its address.
# Where acme's identity provider is asked, which is at no address that answers.
_ASKS_ELSEWHERE = {("/sign-in/openid/", 503)}
_ON_THE_DOOR = {"tenants_tenant.name"}


@pytest.fixture
def on(standing: Estate, settings: Any) -> Estate:  # noqa: F811
    settings.REST_REQUESTS_PER_MINUTE = 1_000_000
    settings.STATIC_ROOT = None
    return standing


def text_of(response: HttpResponse) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return f"{body.decode(errors='replace')} {dict(response.headers)} {response.cookies}"


# --- that the proof can fail --------------------------------------------------------------------------------------


def test_every_table_with_a_tenant_holds_a_marked_row_of_acme(on: Estate) -> None:
    assert unmarked(on.acme.tenant) == []


def test_acmes_owner_and_the_operator_see_marks_on_most_of_their_pages(on: Estate) -> None:
    owner, operator = Client(SERVER_NAME="acme.localhost"), Client(SERVER_NAME="localhost")
    owner.force_login(on.acme.owner)
    operator.force_login(on.olivia.user)
    shown: Counter[str] = Counter()
    columns: set[str] = set()
    for address in addresses(on):
        if address.surface == "admin" and not address.route.endswith(("/change/", "/<id>/")) and address.has_object:
            continue
        browser = operator if address.surface in ("admin", "rest") else owner
        with undone():
            found = seen(text_of(send(browser, "GET", address, {})), "acme")
        shown[address.surface] += bool(found)
        columns |= found
    assert shown["portal"] >= 8
    assert shown["admin"] >= 30
    assert shown["rest"] >= 10
    assert len(columns) >= 20


def test_a_digest_changes_with_any_row_of_the_tenant(on: Estate) -> None:
    before = fingerprint(on.acme.tenant)
    assert fingerprint(on.acme.tenant) == before
    with undone():
        on.acme.owner.first_name = "another"
        on.acme.owner.save()
        assert fingerprint(on.acme.tenant) != before


@pytest.mark.parametrize("host", [OPERATORS_HOST, TENANTS_HOST])
def test_a_route_that_nobody_said_how_to_fill_is_an_error(
    on: Estate, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def view(request: object, gadget_id: str) -> HttpResponse:
        return HttpResponse()

    forgotten = path("i18n/gadgets/<str:gadget_id>/", view, name="set_language")
    monkeypatch.setattr(get_resolver(host), "url_patterns", [forgotten, *get_resolver(host).url_patterns])
    with pytest.raises(Unclassified, match="gadget_id"):
        addresses(on)


# --- every route --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", list(CALLERS))
@pytest.mark.parametrize("where", ["operators", "acme", "own"])
def test_nobody_else_sees_or_changes_anything_of_acme(on: Estate, who: str, where: str) -> None:
    caller = CALLERS[who](on)
    if caller.tenant is None and where == "own":
        pytest.skip("nobody has no host")
    client = caller.client(caller.host(where))
    ids = {name: fill(on) for name, fill in OBJECTS.items() if name.endswith("_id")}
    body, before = poison(on, ids), fingerprint(on.acme.tenant)
    wrong: list[str] = []
    for address in addresses(on):
        with undone():
            for method in methods_of(caller, where, address):
                wrong += complaints(caller, where, method, address, send(client, method, address, body))
            if fingerprint(on.acme.tenant) != before:
                wrong.append(f"{address.path} changed acme")
    assert not wrong, "\n".join(wrong)


def complaints(caller: Caller, where: str, method: str, address: Address, answer: HttpResponse) -> list[str]:
    said = f"{method} {address.path} → {answer.status_code}"
    found = []
    leaks = seen(text_of(answer), "acme") - (_ON_THE_DOOR if where == "acme" else set())
    if leaks:
        found.append(f"{said} shows {sorted(leaks)}")
    if answer.status_code >= 500 and (address.path, answer.status_code) not in _ASKS_ELSEWHERE:
        found.append(f"{said} broke")
    if not is_expected(caller, where, address, answer):
        found.append(f"{said} {answer.headers.get('Location', '')} was not refused")
    return found


def is_expected(caller: Caller, where: str, address: Address, answer: HttpResponse) -> bool:
    """Whether this is what somebody else may be told: own data, the way in, or no."""
    status, open_door = answer.status_code, is_door(answer)
    if address.surface == "open":
        return True
    if address.surface == "admin":
        return open_door or status in (*NO, 204) or (where == "operators" and status == 301)
    if address.surface == "rest":
        return status in NO or not address.has_object
    if where == "operators":
        return status in NO or answer.headers.get("Location") == "/admin/"
    if where == "own" and caller.tenant is not None:
        return open_door or status in (*NO, 400) or not address.has_object
    return open_door or status in NO


def is_door(answer: HttpResponse) -> bool:
    """Whether somebody is sent to where people sign in."""
    to = answer.headers.get("Location", "") + answer.headers.get("HX-Redirect", "")
    return answer.status_code in (204, 302) and ("/sign-in/" in to or "/login/" in to)
