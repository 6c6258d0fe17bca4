"""Who may do what: each route of both hosts opened by a real session of each role, and compared with the matrix."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver, path

from core.clock import utc_now
from core.conf import ROOT
from core.ids import new_ulid, prefixed
from lumos_site.access.matrix import page
from lumos_site.access.roles import AREAS, operator_permissions
from lumos_site.access.routes import OPERATORS_HOST, TENANTS_HOST, Route, Unclassified, routes
from tenants.api import LastSuperOperator, OperatorRole, Role, add_member, dismiss_operator, set_operator_role
from tests.cast import PASSWORD, TESTER, Operator, Player, found_acme, found_olivia
from tests.lumos_site.stage import set_stage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
ROUTES = routes()
QUERIES = {"admin:autocomplete": "?app_label=tenants&model_name=apikey&field_name=tenant"}


def of(surface: str) -> list[Route]:
    return [route for route in ROUTES if route.surface == surface]


def test_the_document_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "access.md").read_text() == page()


@pytest.mark.parametrize("host", [OPERATORS_HOST, TENANTS_HOST])
def test_a_route_that_names_nothing_is_an_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = path("forgotten/", lambda request: HttpResponse(), name="forgotten")
    monkeypatch.setattr(get_resolver(host), "url_patterns", [forgotten, *get_resolver(host).url_patterns])
    with pytest.raises(Unclassified, match="forgotten"):
        routes()


def test_each_table_of_the_admin_is_in_one_area() -> None:
    known = Counter(label for labels in AREAS.values() for label in labels)
    assert [label for label, times in known.items() if times > 1] == []
    assert {model._meta.label_lower for model in admin.site._registry} <= set(known)
    assert [label for label in known if not apps.get_model(label)] == []


def test_every_permission_of_every_role_exists() -> None:
    known = {f"{app}.{code}" for app, code in Permission.objects.values_list("content_type__app_label", "codename")}
    for role in OperatorRole:
        assert operator_permissions(role) <= known


# --- the portal ---------------------------------------------------------------------------------------------------


def member(tenant: Any, role: Role) -> Client:
    now = utc_now()
    joined = add_member(tenant_id=tenant.id, email=f"{role}@x.example", role=role, acting=TESTER, now=now)
    client = Client(HTTP_HOST=f"{tenant.slug}.localhost")
    client.force_login(joined.user)
    return client


def status_of(client: Client, address: str) -> int:
    """By GET, or by POST where that is the only way."""
    status: int = client.get(address).status_code
    return client.post(address).status_code if status == 405 else status


@pytest.mark.parametrize("role", list(Role))
def test_each_page_of_the_portal_opens_to_the_roles_of_the_matrix_only(role: Role) -> None:
    client = member(found_acme().tenant, role)
    opened = {route.path: status_of(client, filled(route.path)) for route in of("portal")}
    assert {address for address, status in opened.items() if status == 403} == {
        route.path for route in of("portal") if role not in route.members
    }
    assert {address: status for address, status in opened.items() if status >= 500} == {}


def filled(route: str) -> str:
    for part in ("<str:public_id>", "<str:conversation_id>"):
        route = route.replace(part, new_ulid())
    return route.replace("<int:number>", "0")


# --- operators ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=list(OperatorRole))
def role(request: pytest.FixtureRequest) -> OperatorRole:
    return request.param


@pytest.fixture
def staged(role: OperatorRole) -> tuple[Client, dict[str, Player]]:
    """An operator's browser, beside an installation with a row of everything."""
    players = set_stage(found_olivia())
    account = User.objects.create_user("otto", "otto@lumos.example", PASSWORD)
    set_operator_role(user_id=account.pk, role=role, acting=TESTER, now=utc_now())
    client = Client(HTTP_HOST="localhost")
    client.force_login(account)
    return client, players


def admin_address(route: Route, acme: Player) -> str:
    """The route with a row of its own table in it."""
    if route.name == "admin:app_list":
        return "/admin/tenants/"
    address = route.path.replace("<str:tenant_id>", acme.tenant.id).replace("<int:number>", "0")
    for part in ("<path:object_id>", "<id>"):
        if part in address:
            app, table = route.path.split("/")[2:4]
            row = acme.owner if table == "user" else apps.get_model(app, table)._default_manager.first()
            address = address.replace(part, str(row.pk))
    return address.replace("<path:content_type_id>", "1") + QUERIES.get(route.name, "")


def test_each_page_of_the_admin_opens_to_the_roles_of_the_matrix_only(staged: Any, role: OperatorRole) -> None:
    client, players = staged
    opened = {
        route.path: client.get(admin_address(route, players["acme"])).status_code
        for route in of("admin")
        if "<path:content_type_id>" not in route.path
    }
    refused = {address for address, status in opened.items() if status == 403}
    assert refused == {route.path for route in of("admin") if role not in route.operators}
    # What is named by its public id is the caller's own, such as a factor, and Otto has none.
    wrong = {address: status for address, status in opened.items() if status >= 400 and status != 403}
    assert {address: status for address, status in wrong.items() if "<str:public_id>" not in address} == {}
    assert set(wrong.values()) <= {404}


def test_who_may_only_look_at_a_row_cannot_send_a_change_of_it(staged: Any, role: OperatorRole) -> None:
    client, players = staged
    for route in of("admin"):
        app, table = [*route.path.split("/"), "", ""][2:4]
        if route.path.endswith("/change/") and f"{app}.change_{table}" not in operator_permissions(role):
            assert client.post(admin_address(route, players["acme"]), {}).status_code == 403, route.path


def test_each_route_of_rest_opens_to_the_roles_of_the_matrix_only(staged: Any, role: OperatorRole) -> None:
    client, players = staged
    acme = players["acme"]
    refused, wrong = set(), {}
    for route in of("rest"):
        send = getattr(client, route.method.lower())
        more = {} if route.method in ("GET", "DELETE") else {"data": {}, "content_type": "application/json"}
        status = send(rest_address(route.path, acme), **more).status_code
        if status == 403:
            refused.add((route.method, route.path))
        elif status in (401, 405) or status >= 500:
            wrong[route.method, route.path] = status
    assert wrong == {}
    assert refused == {(route.method, route.path) for route in of("rest") if role not in route.operators}


def rest_address(route: str, acme: Player) -> str:
    parts = {
        "tenant_id": acme.tenant.public_id,
        "key_id": prefixed("key", new_ulid()),
        "endpoint_id": prefixed("whe", new_ulid()),
        "delivery_id": prefixed("dlv", new_ulid()),
        "member_id": prefixed("mem", new_ulid()),
        "invitation_id": prefixed("invite", new_ulid()),
        "session_id": prefixed("ses", new_ulid()),
        "dimension": "tokens_per_minute",
        "chain": acme.tenant.public_id,
    }
    for name, value in parts.items():
        route = route.replace(f"<str:{name}>", value)
    return route


def test_strangers_are_sent_to_the_sign_in_page_by_every_page_of_the_admin(acme: Player) -> None:
    client = Client(HTTP_HOST="localhost")
    for route in of("admin"):
        answer = client.get(admin_address(route, acme) if "<path" not in route.path else route.path)
        assert answer.status_code in (204, 302), route.path


# --- roles themselves ---------------------------------------------------------------------------------------------


def test_groups_and_permissions_of_single_accounts_mean_nothing(role: OperatorRole) -> None:
    account = found_olivia(role).user
    group = Group.objects.create(name="all")
    group.permissions.set(Permission.objects.all())
    account.groups.add(group)
    account.user_permissions.set(Permission.objects.all())
    assert User.objects.get(pk=account.pk).get_all_permissions() == operator_permissions(role)


def test_staff_without_a_role_and_locked_operators_may_nothing() -> None:
    bare = User.objects.create_user("bare", is_staff=True)
    locked = found_olivia().user
    locked.is_active = False
    assert bare.get_all_permissions() == locked.get_all_permissions() == set()


def test_a_role_that_is_taken_away_counts_from_the_next_request_on(olivia: Operator) -> None:
    other = User.objects.create_user("otto")
    set_operator_role(user_id=other.pk, role=OperatorRole.SUPER, acting=TESTER, now=utc_now())
    client = Client(HTTP_HOST="localhost")
    client.force_login(other)
    assert client.get("/admin/tenants/operator/").status_code == 200
    set_operator_role(user_id=other.pk, role=OperatorRole.BILLING, acting=TESTER, now=utc_now())
    assert client.get("/admin/tenants/operator/").status_code == 403
    dismiss_operator(user_id=other.pk, acting=TESTER, now=utc_now())
    assert client.get("/admin/").status_code == 302


def test_the_last_super_operator_stays(olivia: Operator) -> None:
    with pytest.raises(LastSuperOperator):
        dismiss_operator(user_id=olivia.user.pk, acting=TESTER, now=utc_now())
    with pytest.raises(LastSuperOperator):
        set_operator_role(user_id=olivia.user.pk, role=OperatorRole.SUPPORT, acting=TESTER, now=utc_now())


def test_only_a_super_operator_changes_an_operators_account(olivia: Operator) -> None:
    guard = User.objects.create_user("sam")
    set_operator_role(user_id=guard.pk, role=OperatorRole.SECURITY, acting=TESTER, now=utc_now())
    client = Client(HTTP_HOST="localhost")
    client.force_login(guard)
    new = {"password1": PASSWORD + "9", "password2": PASSWORD + "9", "usable_password": "true"}
    assert client.post(f"/admin/auth/user/{olivia.user.pk}/password/", new).status_code == 403
    assert client.post(f"/admin/auth/user/{olivia.user.pk}/change/", {"username": "x"}).status_code == 403
    assert User.objects.get(pk=olivia.user.pk).check_password(PASSWORD)
