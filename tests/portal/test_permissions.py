"""Who gets in: members by the table of roles, strangers and members of other tenants nowhere."""

from __future__ import annotations

import pytest

from lumos_site.access.routes import routes
from tenants.api import ROLE_PERMISSIONS, Permission, Role, allows, grantable_scopes
from tests.cast import Player
from tests.portal.conftest import SignIn, stranger

ADDRESSES = [
    route.path.replace("<str:public_id>", "x").replace("<str:conversation_id>", "x").replace("<int:number>", "0")
    for route in routes()
    if route.surface == "portal"
]


def test_strangers_are_sent_to_the_sign_in_page(acme: Player) -> None:
    client = stranger(acme.tenant)
    for address in ADDRESSES:
        response = client.get(address)
        if response.status_code == 405:
            response = client.post(address)
        assert (response.status_code, response["Location"].split("?")[0]) == (302, "/sign-in/"), address


def test_strangers_come_back_to_the_page_they_asked_for(acme: Player) -> None:
    assert stranger(acme.tenant).get("/usage/?days=30")["Location"] == "/sign-in/?next=%2Fusage%2F%3Fdays%3D30"


def test_a_partial_update_without_a_session_sends_the_whole_page_to_sign_in(acme: Player) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://acme.localhost/keys/"}
    response = stranger(acme.tenant).get("/meters/", headers=headers)
    assert (response.status_code, response["HX-Redirect"]) == (204, "/sign-in/?next=%2Fkeys%2F")


def test_mallory_of_globex_gets_nothing_at_acme(acme: Player, globex: Player) -> None:
    mallory = stranger(acme.tenant)
    mallory.force_login(globex.owner)
    for address in ADDRESSES:
        response = mallory.get(address)
        assert response.status_code == 403, address
        assert b"not a member" in response.content


@pytest.mark.parametrize("address", ["/sign-out/", "/playground/token/", "/settings/theme/"])
def test_what_changes_something_is_not_done_by_get(acme: Player, as_role: SignIn, address: str) -> None:
    assert as_role(acme.tenant).get(address).status_code == 405


def test_owners_may_everything_and_nobody_else_more() -> None:
    assert ROLE_PERMISSIONS[Role.OWNER] == frozenset(Permission)
    assert all(permissions <= ROLE_PERMISSIONS[Role.OWNER] for permissions in ROLE_PERMISSIONS.values())
    assert set(ROLE_PERMISSIONS) == set(Role)


def test_nobody_makes_a_key_that_may_more_than_they_may(acme: Player, as_role: SignIn) -> None:
    developer = as_role(acme.tenant, Role.DEVELOPER)
    assert b'value="usage:read"' not in developer.get("/keys/new/").content
    new = {"name": "reads the bill", "kind": "live", "scopes": ["inference", "usage:read"]}
    assert developer.post("/keys/new/", new).status_code == 400
    assert as_role(acme.tenant, Role.ADMIN).post("/keys/new/", new).status_code == 201
    assert grantable_scopes(ROLE_PERMISSIONS[Role.VIEWER]) == {"keys:read"}


def test_an_unknown_role_may_nothing() -> None:
    assert not any(allows("JANITOR", permission) for permission in Permission)


def test_the_navigation_offers_only_what_opens(acme: Player, as_role: SignIn) -> None:
    page = as_role(acme.tenant, Role.BILLING).get("/").content.decode()
    assert 'href="/bill/"' in page
    assert 'href="/keys/"' not in page
    assert 'href="/playground/"' not in page
