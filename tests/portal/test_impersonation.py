"""Operators in a tenant's portal: how they come in, what they see and may change, when they are out, and who knows."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry, EntryNames
from core.clock import utc_now
from core.ids import new_ulid
from core.tenancy import platform_scope, tenant_scope
from lumos_site.access.routes import routes
from tenants import tasks
from tenants.api import (
    ApiKey,
    ImpersonationEnd,
    Invitation,
    Membership,
    OperatorRole,
    Permission,
    Role,
    Tenant,
    add_member,
    archive_tenant,
    begin_impersonation,
    dismiss_operator,
    enter_impersonation,
    impersonations_of,
    remove_member,
    set_operator_role,
)
from tenants.errors import HandoverInvalid, ImpersonationOpen
from tenants.models import Impersonation
from tenants.roles import OPEN_TO_VISITORS, visitor_may_change
from tenants.services.impersonation import HANDOVER, LASTS, end_expired
from tests.audit.reading import entries, the_entry
from tests.cast import PASSWORD, TESTER, Operator, Player, found_acme, found_olivia
from tests.portal.conftest import SignIn, stranger
from tests.rest import path_of

pytestmark = pytest.mark.django_db
WHY = "ticket 4711: a wrong bill"


def at_home(operator: User) -> Client:
    """The operator's browser on the operators' host."""
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(operator)
    return browser


def begin(browser: Client, tenant: Tenant, whom: str = "", reason: str = WHY) -> Any:
    address = reverse("admin:tenants_tenant_impersonate", args=[tenant.id])
    return browser.post(address, {"confirmed": "1", "reason": reason, "whom": whom})


def come_in(operator: Operator, player: Player, whom: str = "", browser: Client | None = None) -> Client:
    """The operator's browser on the tenant's host, after all of the way there."""
    link = begin(browser or at_home(operator.user), player.tenant, whom)["Location"]
    visitor = stranger(player.tenant)
    door = link.removeprefix(f"http://{player.tenant.slug}.localhost")
    assert WHY in visitor.get(door).content.decode()
    answer = visitor.post("/impersonation/enter/", {"token": door.split("/")[2]})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    return visitor


def allow_changes(visitor: Client) -> None:
    assert visitor.post("/impersonation/ask/", {"reason": "they asked me to"})["Location"] == "/"


def owner_of(player: Player) -> str:
    return Membership.objects.get(tenant=player.tenant, user=player.owner).id


# --- coming in -----------------------------------------------------------------------------------------------------


def test_an_operator_comes_in_as_the_workspace_and_each_page_says_so(acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme)
    for address in ("/", "/keys/", "/members/", "/usage/", "/settings/", "/no-such-page/"):
        html = visitor.get(address).content.decode()
        if address != "/no-such-page/":
            assert "Operator olivia acts as Acme" in html, address
            assert WHY in html
            assert "read-only" in html
            assert "29 min" in html
            assert 'action="/impersonation/leave/"' in html


def test_an_operator_sees_what_the_member_sees(acme: Player, olivia: Operator) -> None:
    joined = add_member(
        tenant_id=acme.tenant.id, email="bill@acme.example", role=Role.BILLING, acting=TESTER, now=utc_now()
    )
    visitor = come_in(olivia, acme, whom=joined.id)
    page = visitor.get("/")
    assert "acts as bill@acme.example" in page.content.decode()
    assert 'href="/bill/"' in page.content.decode()
    assert visitor.get("/keys/").status_code == 403


def test_an_owner_is_acted_for_with_an_admins_rights(acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme))
    assert "Admin" in visitor.get("/settings/").content.decode()
    allow_changes(visitor)
    assert visitor.post(f"/members/mem_{owner_of(acme)}/role/", {"role": "VIEWER"}).status_code == 403
    visitor.post("/members/invite/", {"email": "new@acme.example", "role": "OWNER"})
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    "given",
    [{"reason": ""}, {"whom": "nobody"}, {"whom": "globex"}],
    ids=["no reason", "no member", "a foreign member"],
)
def test_without_a_reason_or_with_a_foreign_member_nothing_begins(
    given: dict[str, str], acme: Player, globex: Player, olivia: Operator
) -> None:
    if given.get("whom") == "globex":
        given = {"whom": owner_of(globex)}
    assert begin(at_home(olivia.user), acme.tenant, **given).status_code == 200
    assert not Impersonation.objects.exists()


def test_the_page_that_begins_may_lead_to_the_portal_and_nowhere_else(acme: Player, olivia: Operator) -> None:
    page = at_home(olivia.user).get(reverse("admin:tenants_tenant_impersonate", args=[acme.tenant.id]))
    assert "form-action 'self' http://acme.localhost;" in page["Content-Security-Policy"] + ";"


@pytest.mark.parametrize(("role", "may"), [("SECURITY", True), ("SUPPORT", True), ("BILLING", False)])
def test_only_some_roles_may_begin(role: str, may: bool, acme: Player, olivia: Operator) -> None:
    browser = at_home(_another(OperatorRole(role)))
    assert begin(browser, acme.tenant).status_code == (302 if may else 403)
    assert Impersonation.objects.exists() is may


def _another(role: OperatorRole) -> User:
    account = User.objects.create_user("otto", "otto@lumos.example", PASSWORD)
    set_operator_role(user_id=account.pk, role=role, acting=TESTER, now=utc_now())
    return User.objects.get(pk=account.pk)


def test_the_link_works_once_soon_and_on_its_own_host(acme: Player, globex: Player, olivia: Operator) -> None:
    token = begin(at_home(olivia.user), acme.tenant)["Location"].split("/")[-2]
    for host in (globex.tenant, acme.tenant):
        assert stranger(host).post("/impersonation/enter/", {"token": "x" * 43}).status_code == 403
    assert stranger(globex.tenant).get(f"/impersonation/{token}/").status_code == 403
    assert stranger(globex.tenant).post("/impersonation/enter/", {"token": token}).status_code == 403
    for _ in range(2):  # looking uses nothing up
        assert stranger(acme.tenant).get(f"/impersonation/{token}/").status_code == 200
    with pytest.raises(HandoverInvalid):
        enter_impersonation(tenant_id=acme.tenant.id, token=token, now=utc_now() + HANDOVER)
    assert stranger(acme.tenant).post("/impersonation/enter/", {"token": token}).status_code == 302
    assert stranger(acme.tenant).post("/impersonation/enter/", {"token": token}).status_code == 403


@pytest.mark.usefixtures("committed")
@pytest.mark.django_db(transaction=True)
def test_of_many_who_hold_the_link_at_the_same_moment_one_comes_in() -> None:
    acme, olivia = found_acme(), found_olivia()
    _row, token = begin_impersonation(
        tenant_id=acme.tenant.id,
        operator=olivia.user,
        session_key="x",
        membership_id="",
        reason=WHY,
        acting=TESTER,
        now=utc_now(),
    )

    def enter(_number: int) -> bool:
        with platform_scope():
            try:
                return bool(enter_impersonation(tenant_id=acme.tenant.id, token=token, now=utc_now()))
            except HandoverInvalid:
                return False
            finally:
                connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(enter, range(6))) == 1


def test_whoever_was_signed_in_with_that_browser_is_out(acme: Player, olivia: Operator) -> None:
    token = begin(at_home(olivia.user), acme.tenant)["Location"].split("/")[-2]
    browser = stranger(acme.tenant)
    browser.force_login(acme.owner)
    before = browser.cookies["lumos_session"].value
    browser.post("/impersonation/enter/", {"token": token})
    assert browser.cookies["lumos_session"].value != before
    browser.post("/impersonation/leave/")
    assert browser.get("/")["Location"] == "/sign-in/"


def test_the_operators_cookie_opens_nothing_on_the_tenants_host_and_the_visit_nothing_elsewhere(
    acme: Player, globex: Player, olivia: Operator
) -> None:
    home = at_home(olivia.user)
    visitor = come_in(olivia, acme, browser=home)
    cookie = visitor.cookies["lumos_session"].value
    assert cookie != home.cookies["lumos_session"].value
    for host in ("globex.localhost", "localhost"):
        thief = Client(SERVER_NAME=host)
        thief.cookies["lumos_session"] = cookie
        assert thief.get("/").status_code in (302, 403)
        assert thief.get(f"/api/v1{path_of(globex.tenant)}").status_code == 401


def test_an_operator_acts_in_one_place_at_a_time(acme: Player, globex: Player, olivia: Operator) -> None:
    home = at_home(olivia.user)
    visitor = come_in(olivia, acme, browser=home)
    begin(home, globex.tenant)
    assert "act for somebody already" in home.get("/admin/").content.decode()
    assert Impersonation.objects.count() == 1
    nested = visitor.post("/impersonation/enter/", {"token": "x"})
    assert nested.status_code == 403
    assert visitor.get("/").status_code == 200
    visitor.post("/impersonation/leave/")
    assert begin(home, globex.tenant).status_code == 302


# --- what a visit may change ---------------------------------------------------------------------------------------

VISITORS_OWN = {"portal:impersonation_ask", "portal:impersonation_leave"}
PORTAL = [
    route
    for route in routes()
    if (route.surface == "portal" or route.name.startswith("portal:")) and route.name not in VISITORS_OWN
]


def filled(path: str) -> str:
    return re.sub(r"<int:\w+>", "1", re.sub(r"<str:\w+>", new_ulid(), path))


@pytest.mark.parametrize("raised", [False, True], ids=["read-only", "raised"])
def test_no_route_of_the_portal_takes_a_change_but_the_few_that_are_listed(
    raised: bool, acme: Player, olivia: Operator
) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme))
    if raised:
        allow_changes(visitor)
    let_through = set()
    for route in PORTAL:
        for method in ("post", "put", "patch", "delete"):
            answer = getattr(visitor, method)(filled(route.path))
            if answer.status_code != 403 or b"act for somebody" not in answer.content:
                let_through.add(route.asks)
    assert let_through == (set(OPEN_TO_VISITORS) if raised else set())
    assert visitor.get("/").status_code == 200


def test_reading_shows_no_secret_and_keeps_nothing(acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme))
    allow_changes(visitor)
    new = {"name": "mine", "kind": "live", "scopes": ["inference"]}
    assert visitor.post("/keys/new/", new).status_code == 403
    assert visitor.post("/playground/token/").status_code == 403
    assert visitor.post("/settings/password/", {"old_password": PASSWORD}).status_code == 403
    assert ApiKey.objects.count() == 1
    assert acme.plaintext not in visitor.get("/keys/").content.decode()


def test_after_a_second_reason_members_can_be_changed_in_the_operators_name(acme: Player, olivia: Operator) -> None:
    joined = add_member(
        tenant_id=acme.tenant.id, email="dev@acme.example", role=Role.VIEWER, acting=TESTER, now=utc_now()
    )
    visitor = come_in(olivia, acme, whom=owner_of(acme))
    change: Callable[[], Any] = lambda: visitor.post(f"/members/{joined.public_id}/role/", {"role": "DEVELOPER"})  # noqa: E731
    assert change().status_code == 403
    assert visitor.post("/impersonation/ask/", {"reason": " "}).status_code == 400
    allow_changes(visitor)
    assert change().status_code == 302
    assert Membership.objects.get(pk=joined.pk).role == Role.DEVELOPER
    entry = the_entry(action="members.change_role", tenant_id=acme.tenant.id)
    assert (entry.actor_kind, entry.actor_id) == ("operator", str(olivia.user.pk))
    assert entry.actor_label == "olivia as amy@acme.example"


def test_not_every_role_may_ask_for_changes(acme: Player, olivia: Operator) -> None:
    support = Operator(_another(OperatorRole.SUPPORT), "")
    visitor = come_in(support, acme)
    assert "/impersonation/ask/" not in visitor.get("/").content.decode()
    assert visitor.post("/impersonation/ask/", {"reason": "please"}).status_code == 403
    assert not Impersonation.objects.get().is_raised


@pytest.mark.parametrize("as_owner", [True, False])
def test_how_somebody_proves_who_they_are_is_not_even_looked_at(as_owner: bool, acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme) if as_owner else "")
    allow_changes(visitor)
    own = [route for route in PORTAL if route.path.startswith("/settings/security/")]
    assert len(own) > 5
    for route in own:
        assert visitor.get(filled(route.path)).status_code == 403, route.path


@pytest.mark.parametrize("as_owner", [True, False])
def test_each_other_page_opens_to_look_at(as_owner: bool, acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme) if as_owner else "")
    for route in PORTAL:
        if route.name not in VISITORS_OWN and not route.path.startswith("/settings/security/"):
            assert visitor.get(filled(route.path)).status_code < 500, route.path


def test_what_is_added_later_is_closed_to_visitors() -> None:
    for permission in (*Permission, "something.new"):
        assert not visitor_may_change(permission, raised=False)
        assert visitor_may_change(permission, raised=True) is (permission in OPEN_TO_VISITORS)
    assert not OPEN_TO_VISITORS & {
        Permission.OWNERS_MANAGE,
        Permission.SETTINGS_OWN,
        Permission.KEYS_MANAGE,
        Permission.PLAYGROUND_USE,
    }


def test_rest_on_the_tenants_host_follows_the_visit(acme: Player, globex: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme))
    invitations, keys = f"/api/v1{path_of(acme.tenant, '/invitations')}", f"/api/v1{path_of(acme.tenant, '/keys')}"
    invited = {"email": "new@acme.example", "role": "VIEWER"}
    send = lambda path, body: visitor.post(path, body, content_type="application/json")  # noqa: E731
    assert visitor.get(keys).status_code == 200
    assert visitor.get(f"/api/v1{path_of(globex.tenant)}").status_code == 404
    refused = send(invitations, invited)
    assert (refused.status_code, refused.json()["code"]) == (403, "not_while_acting")
    allow_changes(visitor)
    assert send(invitations, invited).status_code == 201
    assert send(keys, {"name": "mine"}).json()["code"] == "not_while_acting"
    assert send(invitations, {**invited, "role": "OWNER"}).status_code == 403
    assert send("/api/v1/auth/tokens", {}).json()["code"] == "not_while_acting"
    assert visitor.delete(f"/api/v1/auth/tokens/ses_{new_ulid()}").json()["code"] == "not_while_acting"
    entry = the_entry(action="members.invite")
    assert (entry.actor_kind, entry.actor_label) == ("operator", "olivia as amy@acme.example")
    visitor.post("/impersonation/leave/")
    assert visitor.get(keys).status_code == 401


# --- when it is over -----------------------------------------------------------------------------------------------


def _signs_out(home: Client, olivia: Operator, acme: Player) -> None:
    home.post("/admin/logout/")


def _loses_the_role(home: Client, olivia: Operator, acme: Player) -> None:
    _another(OperatorRole.SUPER)
    dismiss_operator(user_id=olivia.user.pk, acting=TESTER, now=utc_now())


def _gets_a_lesser_role(home: Client, olivia: Operator, acme: Player) -> None:
    _another(OperatorRole.SUPER)
    set_operator_role(user_id=olivia.user.pk, role=OperatorRole.BILLING, acting=TESTER, now=utc_now())


def _is_locked(home: Client, olivia: Operator, acme: Player) -> None:
    User.objects.filter(pk=olivia.user.pk).update(is_active=False)


def _changes_the_password(home: Client, olivia: Operator, acme: Player) -> None:
    olivia.user.set_password("another-passphrase")
    olivia.user.save()


def _time_passes(home: Client, olivia: Operator, acme: Player) -> None:
    Impersonation.objects.update(expires_at=utc_now())


def _member_is_removed(home: Client, olivia: Operator, acme: Player) -> None:
    add_member(tenant_id=acme.tenant.id, email="o@acme.example", role=Role.OWNER, acting=TESTER, now=utc_now())
    remove_member(tenant_id=acme.tenant.id, membership_id=owner_of(acme), owners=True, acting=TESTER, now=utc_now())


def _tenant_is_archived(home: Client, olivia: Operator, acme: Player) -> None:
    archive_tenant(tenant_id=acme.tenant.id, reason="gone", acting=TESTER, now=utc_now())


def _ended_in_the_admin(home: Client, olivia: Operator, acme: Player) -> None:
    row = Impersonation.objects.get()
    home.post(reverse("admin:tenants_impersonation_end", args=[row.pk]), {"confirmed": "1"})


@pytest.mark.parametrize(
    ("happens", "why"),
    [
        (_signs_out, ImpersonationEnd.SIGNED_OUT),
        (_loses_the_role, ImpersonationEnd.ROLE_LOST),
        (_gets_a_lesser_role, ImpersonationEnd.ROLE_LOST),
        (_is_locked, ImpersonationEnd.ROLE_LOST),
        (_changes_the_password, ImpersonationEnd.SIGNED_OUT),
        (_time_passes, ImpersonationEnd.EXPIRED),
        (_member_is_removed, ImpersonationEnd.MEMBER_GONE),
        (_tenant_is_archived, ImpersonationEnd.TENANT),
        (_ended_in_the_admin, ImpersonationEnd.ENDED),
    ],
)
def test_it_is_over_with_the_next_request(happens: Any, why: str, acme: Player, olivia: Operator) -> None:
    home = at_home(olivia.user)
    visitor = come_in(olivia, acme, whom=owner_of(acme), browser=home)
    assert visitor.get("/").status_code == 200
    happens(home, olivia, acme)
    answer = visitor.get("/")
    assert answer.status_code == 403
    assert "The visit is over" in answer.content.decode()
    assert Impersonation.objects.get().end_reason == why
    assert visitor.get("/")["Location"] == "/sign-in/"
    assert visitor.get(f"/api/v1{path_of(acme.tenant)}").status_code == 401


def test_rest_is_told_as_a_problem_that_the_visit_is_over(acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme)
    Impersonation.objects.update(expires_at=utc_now())
    answer = visitor.get(f"/api/v1{path_of(acme.tenant)}")
    assert (answer.status_code, answer.json()["code"]) == (409, "impersonation_over")


def test_leaving_is_a_button_and_leaves_no_session(acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme)
    assert "The visit is over" in visitor.post("/impersonation/leave/").content.decode()
    assert visitor.get("/")["Location"] == "/sign-in/"
    assert visitor.post("/impersonation/leave/").status_code == 302
    assert stranger(acme.tenant).get("/impersonation/ask/").status_code == 302


def test_what_nobody_looks_at_is_ended_by_the_clock(acme: Player, olivia: Operator) -> None:
    come_in(olivia, acme)
    assert tasks.end_impersonations() == 0
    assert end_expired(now=utc_now() + LASTS) == 1
    assert AuditEntry.objects.filter(action="impersonation.end", actor_kind="system").count() == 2


def test_a_link_that_nobody_used_blocks_its_operator_for_two_minutes_only(acme: Player, olivia: Operator) -> None:
    def begin_at(seconds: int) -> None:
        begin_impersonation(
            tenant_id=acme.tenant.id,
            operator=olivia.user,
            session_key="x",
            membership_id="",
            reason=WHY,
            acting=TESTER,
            now=now + timedelta(seconds=seconds),
        )

    now = utc_now()
    begin_at(0)
    with pytest.raises(ImpersonationOpen):
        begin_at(60)
    begin_at(121)


# --- who knows -----------------------------------------------------------------------------------------------------


def test_both_logs_have_every_step_with_both_names(acme: Player, olivia: Operator) -> None:
    visitor = come_in(olivia, acme, whom=owner_of(acme))
    allow_changes(visitor)
    visitor.post("/impersonation/leave/")
    steps = ["impersonation.begin", "impersonation.enter", "impersonation.raise", "impersonation.end"]
    for chain in ("", acme.tenant.id):
        told = entries(action__startswith="impersonation.", tenant_id=chain)
        assert [entry.action for entry in told] == steps
        assert all(entry.detail == {"operator": "olivia", "acts_as": "amy@acme.example"} for entry in told)
        assert [entry.reason for entry in told][:3] == [WHY, WHY, "they asked me to"]


def test_the_tenants_people_see_who_came_and_why_and_others_see_nothing(
    acme: Player, globex: Player, olivia: Operator, as_role: SignIn
) -> None:
    come_in(olivia, acme)
    page = as_role(acme.tenant, Role.ADMIN).get("/settings/").content.decode()
    assert "Visits by the operator" in page
    assert "olivia" in page
    assert WHY in page
    assert WHY not in as_role(acme.tenant, Role.VIEWER).get("/settings/").content.decode()
    assert WHY not in as_role(globex.tenant, Role.OWNER).get("/settings/").content.decode()


def test_a_tenants_role_reads_its_own_visits_and_nothing_that_opens_one(
    acme: Player, globex: Player, olivia: Operator
) -> None:
    come_in(olivia, acme)
    with tenant_scope(globex.tenant.ref):
        assert impersonations_of(utc_now()) == []
    with tenant_scope(acme.tenant.ref):
        assert [visit.reason for visit in impersonations_of(utc_now())] == [WHY]


def test_neither_token_nor_session_key_is_stored_in_the_clear(acme: Player, olivia: Operator) -> None:
    home = at_home(olivia.user)
    token = begin(home, acme.tenant)["Location"].split("/")[-2]
    kept = str([row for model in (Impersonation, AuditEntry, EntryNames) for row in model.objects.values()])
    assert token not in kept
    assert str(home.session.session_key) not in kept
