"""Who may do what: the matrix, each address of the portal by role, and that nobody else gets in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern

from core.ids import new_ulid
from portal.api import MATRIX, Permission, allows
from portal.urls import urlpatterns
from tenants.api import Role
from tests.cast import Player
from tests.portal.conftest import SignIn, stranger

O, A, D, B, V = Role.OWNER, Role.ADMIN, Role.DEVELOPER, Role.BILLING, Role.VIEWER  # noqa: E741 - columns of a table
ALL = {O, A, D, B, V}

# Method, address, and the roles that are let in; `{id}` stands for something that does not exist.
ROUTES: list[tuple[str, str, set[Role]]] = [
    ("get", "/", ALL),
    ("get", "/meters/", ALL),
    ("get", "/keys/", {O, A, D, V}),
    ("get", "/keys/table/", {O, A, D, V}),
    ("get", "/keys/new/", {O, A, D}),
    ("post", "/keys/new/", {O, A, D}),
    ("get", "/keys/{id}/revoke/", {O, A, D}),
    ("post", "/keys/{id}/revoke/", {O, A, D}),
    ("get", "/usage/", ALL),
    ("get", "/usage/export.csv", ALL),
    ("get", "/bill/", {O, A, B}),
    ("get", "/bill/export.csv", {O, A, B}),
    ("get", "/playground/", {O, A, D}),
    ("get", "/playground/history/", {O, A, D}),
    ("post", "/playground/token/", {O, A, D}),
    ("post", "/playground/turns/", {O, A, D}),
    ("get", "/playground/c/{id}/", {O, A, D}),
    ("post", "/playground/c/{id}/delete/", {O, A, D}),
    ("get", "/settings/", ALL),
    ("post", "/settings/theme/", ALL),
    ("post", "/settings/password/", ALL),
]
WITHOUT_PERMISSION = {"sign_in", "sign_out"}


def send(client: Client, method: str, address: str) -> int:
    status: int = getattr(client, method)(address.replace("{id}", new_ulid())).status_code
    return status


def guarded() -> Iterator[URLPattern]:
    return (each for each in urlpatterns if each.name not in WITHOUT_PERMISSION)


def test_every_view_names_its_permission() -> None:
    assert [
        each.name for each in guarded() if not isinstance(getattr(each.callback, "permission", None), Permission)
    ] == []


def test_every_address_stands_in_the_table() -> None:
    listed = {address.replace("{id}", "ID").lstrip("/") for _, address, _ in ROUTES}
    known = {
        str(each.pattern).replace("<str:public_id>", "ID").replace("<str:conversation_id>", "ID") for each in guarded()
    }
    assert listed == known


@pytest.mark.parametrize("role", list(Role))
def test_each_address_opens_to_the_roles_of_the_table_only(acme: Player, as_role: SignIn, role: Role) -> None:
    client = as_role(acme.tenant, role)
    refused = {(method, address) for method, address, _ in ROUTES if send(client, method, address) == 403}
    assert refused == {(method, address) for method, address, allowed in ROUTES if role not in allowed}


def test_strangers_are_sent_to_the_sign_in_page(acme: Player) -> None:
    client = stranger(acme.tenant)
    for method, address, _ in ROUTES:
        response = getattr(client, method)(address.replace("{id}", "x"))
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
    for method, address, _ in ROUTES:
        response = getattr(mallory, method)(address.replace("{id}", "x"))
        assert response.status_code == 403, address
        assert b"not a member" in response.content


@pytest.mark.parametrize("address", ["/sign-out/", "/playground/token/", "/settings/theme/"])
def test_what_changes_something_is_not_done_by_get(acme: Player, as_role: SignIn, address: str) -> None:
    assert as_role(acme.tenant).get(address).status_code == 405


def test_owners_may_everything_and_nobody_else_more() -> None:
    assert MATRIX[Role.OWNER] == frozenset(Permission)
    assert all(permissions <= MATRIX[Role.OWNER] for permissions in MATRIX.values())
    assert set(MATRIX) == set(Role)


def test_an_unknown_role_may_nothing() -> None:
    assert not any(allows("JANITOR", permission) for permission in Permission)


def test_the_navigation_offers_only_what_opens(acme: Player, as_role: SignIn) -> None:
    page = as_role(acme.tenant, Role.BILLING).get("/").content.decode()
    assert 'href="/bill/"' in page
    assert 'href="/keys/"' not in page
    assert 'href="/playground/"' not in page
