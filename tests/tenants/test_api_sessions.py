"""API sessions: opened by members only, renewed by a token that is good once, and over when anything behind them is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from audit.models import AuditEntry, EntryNames
from core.clock import utc_now
from core.ids import new_ulid
from core.tenancy import platform_scope
from tenants.api import (
    Membership,
    Role,
    Tenant,
    add_member,
    api_sessions_of,
    change_role,
    end_api_sessions_of,
    remove_member,
    resume_tenant,
    suspend_tenant,
)
from tenants.errors import RefreshTokenInvalid, RefreshTokenUsed
from tenants.models import ApiSession
from tenants.second_factors import FactorCheck, _checks, register_factors
from tenants.services.opened_sessions import GRACE, IDLE, LONGEST, MOST, open_api_session, renew_api_session
from tenants.sessions.refresh_tokens import MARK, new_refresh_token
from tests.audit.reading import the_entry
from tests.cast import PASSWORD, TESTER, Operator, Player
from tests.rest import Caller, path_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis")]
ACME = "acme.localhost"
OWNER = {"email": "amy@acme.example", "password": PASSWORD}


def opened(player: Player, name: str = "laptop") -> dict[str, Any]:
    """A session of the player's owner, as the API gives it."""
    host = f"{player.tenant.slug}.localhost"
    answer = Caller(host=host).post(
        "/auth/tokens", {"email": player.owner.username, "password": PASSWORD, "name": name}
    )
    assert answer.status_code == 201, answer.json()
    return dict(answer.json())


def refreshed(token: str) -> Any:
    return Caller(host=ACME).post("/auth/tokens/refresh", {"refresh_token": token})


def works(tokens: dict[str, Any], tenant: Tenant) -> bool:
    answer = Caller(tokens["access_token"]).get(path_of(tenant))
    assert answer.status_code in (200, 401)
    return answer.status_code == 200


def test_a_member_opens_a_session_and_reads_the_own_tenant_on_both_hosts(acme: Player) -> None:
    tokens = opened(acme)
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 300)
    for host in ("localhost", ACME):
        assert Caller(tokens["access_token"], host=host).get(path_of(acme.tenant)).json()["slug"] == "acme"
    entry = AuditEntry.objects.get(action="api_sessions.open")
    assert (entry.target, entry.actor_kind, entry.tenant_id) == (tokens["session_id"], "member", acme.tenant.id)


def test_a_member_does_with_a_token_what_the_role_allows_and_no_more(acme: Player) -> None:
    caller = Caller(opened(acme)["access_token"], host=ACME)
    made = caller.post(path_of(acme.tenant, "/keys"), {"name": "from a session"})
    assert made.status_code == 201
    assert the_entry(action="keys.create", target=made.json()["id"]).actor_label == "amy@acme.example"
    assert caller.post(path_of(acme.tenant, "/suspend"), {"reason": "x"}).status_code == 403
    member = Membership.objects.get(tenant=acme.tenant)
    add_member(tenant_id=acme.tenant.id, email="o@acme.example", role=Role.OWNER, acting=TESTER, now=utc_now())
    change_role(
        tenant_id=acme.tenant.id,
        membership_id=member.id,
        role=Role.VIEWER,
        owners=True,
        acting=TESTER,
        now=utc_now(),
    )
    assert caller.post(path_of(acme.tenant, "/keys"), {"name": "too late"}).status_code == 403


def test_a_token_of_another_tenant_sees_nothing(acme: Player, globex: Player) -> None:
    mallory = opened(globex)["access_token"]
    assert Caller(mallory).get(path_of(acme.tenant)).status_code == 404
    for path in (path_of(acme.tenant), path_of(globex.tenant), "/auth/sessions"):
        assert Caller(mallory, host=ACME).get(path).status_code == 401, path


def test_of_two_tenants_of_one_account_a_token_opens_the_one_it_was_made_for(acme: Player, globex: Player) -> None:
    add_member(tenant_id=globex.tenant.id, email=acme.owner.username, role=Role.OWNER, acting=TESTER, now=utc_now())
    token = opened(acme)["access_token"]
    assert Caller(token).get(path_of(globex.tenant)).status_code == 404
    assert Caller(token, host="globex.localhost").get(path_of(globex.tenant)).status_code == 401


@pytest.mark.parametrize(
    "sent",
    [
        {**OWNER, "password": "wrong"},
        {"email": "amy@acme.example"},
        {"email": "mallory@globex.example", "password": PASSWORD},
        {"email": "olivia@lumos.example", "password": PASSWORD},
        {"email": "nobody@acme.example", "password": PASSWORD},
    ],
)
def test_whoever_is_no_member_or_has_no_password_learns_nothing(
    sent: dict[str, str], acme: Player, globex: Player, olivia: Operator
) -> None:
    answer = Caller(host=ACME).post("/auth/tokens", sent)
    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")


def test_attempts_are_limited_together_with_those_of_the_sign_in_page(acme: Player) -> None:
    for _ in range(8):
        assert Caller(host=ACME).post("/auth/tokens", {**OWNER, "password": "x"}).status_code == 401
    refused = Caller(host=ACME).post("/auth/tokens", OWNER)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_sign_in_attempts")
    assert Client(SERVER_NAME=ACME).post("/sign-in/", OWNER).status_code == 429


def test_on_the_operators_host_the_tenant_is_named(acme: Player, globex: Player) -> None:
    assert Caller().post("/auth/tokens", OWNER).json()["errors"][0]["pointer"] == "#/tenant"
    assert Caller().post("/auth/tokens", {**OWNER, "tenant": acme.tenant.public_id}).status_code == 201
    assert Caller().post("/auth/tokens", {**OWNER, "tenant": globex.tenant.public_id}).status_code == 401
    assert Caller().post("/auth/tokens", {**OWNER, "tenant": f"ten_{new_ulid()}"}).status_code == 401
    elsewhere = Caller(host="globex.localhost").post("/auth/tokens", {**OWNER, "tenant": acme.tenant.public_id})
    assert elsewhere.status_code == 401


def test_a_second_factor_is_demanded_of_accounts_that_have_one(acme: Player) -> None:
    check = FactorCheck(has=lambda account: True, passes=lambda account, code: code == "123456")
    register_factors(check)
    try:
        assert Caller(host=ACME).post("/auth/tokens", OWNER).json()["code"] == "second_factor_needed"
        assert Caller(host=ACME).post("/auth/tokens", {**OWNER, "code": "000000"}).status_code == 401
        assert Caller(host=ACME).post("/auth/tokens", {**OWNER, "code": "123456"}).status_code == 201
    finally:
        _checks.remove(check)


# --- the portal's own session --------------------------------------------------------------------------------------


def test_the_session_of_the_portal_opens_rest_and_a_session_with_its_csrf_token_only(acme: Player) -> None:
    browser = Client(HTTP_HOST=ACME, enforce_csrf_checks=True)
    browser.force_login(acme.owner)
    assert browser.get(f"/api/v1{path_of(acme.tenant)}").json()["slug"] == "acme"
    post = {"path": "/api/v1/auth/tokens", "data": {"name": "cli"}, "content_type": "application/json"}
    assert browser.post(**post).status_code == 403
    browser.get("/settings/")
    csrf = {"X-CSRFToken": browser.cookies["lumos_csrf"].value}
    tokens = browser.post(**post, headers=csrf)
    assert tokens.status_code == 201
    assert works(tokens.json(), acme.tenant)


def test_a_stranger_without_anything_is_not_authenticated(acme: Player, globex: Player) -> None:
    assert Caller(host=ACME).post("/auth/tokens", {}).status_code == 401
    mallory = Client(HTTP_HOST=ACME)
    mallory.force_login(globex.owner)
    assert mallory.post("/api/v1/auth/tokens", {}, content_type="application/json").status_code == 401
    assert mallory.get("/api/v1/auth/sessions").status_code == 401


# --- renewing ------------------------------------------------------------------------------------------------------


def test_each_renewal_gives_another_pair_and_ends_the_one_before(acme: Player) -> None:
    first = opened(acme)
    second = refreshed(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert works(second, acme.tenant)
    assert refreshed(second["refresh_token"]).status_code == 200


def test_an_old_refresh_token_ends_the_whole_session_and_is_audited(acme: Player) -> None:
    first = opened(acme)
    second = refreshed(first["refresh_token"]).json()
    ApiSession.objects.update(used_at=utc_now() - GRACE)
    assert refreshed(first["refresh_token"]).status_code == 401
    assert not works(second, acme.tenant)
    assert refreshed(second["refresh_token"]).status_code == 401
    assert AuditEntry.objects.get(action="api_sessions.reuse").target == first["session_id"]


def test_one_that_is_older_still_has_no_grace(acme: Player) -> None:
    first = opened(acme)
    second = refreshed(first["refresh_token"]).json()
    third = refreshed(second["refresh_token"]).json()
    assert refreshed(first["refresh_token"]).status_code == 401
    assert not works(third, acme.tenant)


def test_within_the_grace_the_used_token_gets_nothing_and_ends_nothing(acme: Player) -> None:
    first = opened(acme)
    second = refreshed(first["refresh_token"]).json()
    again = refreshed(first["refresh_token"])
    assert (again.status_code, again.json()["code"]) == (409, "refresh_token_used")
    assert "access_token" not in again.json()
    assert works(second, acme.tenant)


def test_what_was_never_given_out_ends_no_session_and_asks_no_database(
    acme: Player, django_assert_num_queries: Any
) -> None:
    tokens = opened(acme)
    forged = tokens["refresh_token"][:-32] + "0" * 32
    with django_assert_num_queries(0), pytest.raises(RefreshTokenInvalid):
        renew_api_session(token=forged, address="127.0.0.1", now=utc_now())
    assert refreshed("lum_refr_nonsense").status_code == 401
    assert refreshed(new_refresh_token(new_ulid()).text).status_code == 401
    assert works(tokens, acme.tenant)
    assert refreshed(tokens["refresh_token"]).status_code == 200


def test_guessing_refresh_tokens_is_limited_and_stops_nobody_elses(acme: Player) -> None:
    tokens = opened(acme)
    statuses = [refreshed(tokens["refresh_token"][:-32] + "0" * 32).status_code for _ in range(10)]
    assert statuses[-1] == 429
    assert refreshed(tokens["refresh_token"]).status_code == 200


def test_a_session_ends_after_a_week_without_use_and_after_a_month_in_any_case(acme: Player) -> None:
    now, token = utc_now(), opened(acme)["refresh_token"]
    with pytest.raises(RefreshTokenInvalid):
        renew_api_session(token=token, address="127.0.0.1", now=now + IDLE + timedelta(minutes=1))
    for day in range(6, 30, 6):
        token = renew_api_session(token=token, address="127.0.0.1", now=now + timedelta(days=day)).refresh_token
    with pytest.raises(RefreshTokenInvalid):
        renew_api_session(token=token, address="127.0.0.1", now=now + LONGEST + timedelta(minutes=1))


def test_the_tokens_are_stored_as_digests_only(acme: Player) -> None:
    tokens = opened(acme)
    row = {str(value) for value in ApiSession.objects.values().get().values()}
    assert not any(tokens["refresh_token"] in value or tokens["refresh_token"][-40:] in value for value in row)
    assert tokens["refresh_token"] not in str([*AuditEntry.objects.values(), *EntryNames.objects.values()])
    assert MARK not in str(row)


@pytest.mark.usefixtures("committed")
@pytest.mark.django_db(transaction=True)
def test_of_many_that_renew_at_the_same_moment_exactly_one_wins_and_the_session_lives() -> None:
    from tests.cast import found_acme

    acme = found_acme()
    member = Membership.objects.get(tenant=acme.tenant)
    token = open_api_session(membership_id=member.id, name="", address="", acting=TESTER, now=utc_now()).refresh_token

    def renew(_number: int) -> str:
        with platform_scope():
            try:
                return renew_api_session(token=token, address="127.0.0.1", now=utc_now()).refresh_token
            except RefreshTokenUsed:
                return ""
            finally:
                connection.close()

    with ThreadPoolExecutor(8) as pool:
        won = list(filter(None, pool.map(renew, range(8))))
    assert len(won) == 1
    assert renew_api_session(token=won[0], address="127.0.0.1", now=utc_now())


# --- what ends them ------------------------------------------------------------------------------------------------


def _lock(acme: Player) -> None:
    User.objects.filter(pk=acme.owner.pk).update(is_active=False)


def _new_password(acme: Player) -> None:
    account = User.objects.get(pk=acme.owner.pk)
    account.set_password("another-passphrase")
    account.save()


def _remove(acme: Player) -> None:
    member = Membership.objects.get(tenant=acme.tenant, user=acme.owner)
    add_member(tenant_id=acme.tenant.id, email="o@acme.example", role=Role.OWNER, acting=TESTER, now=utc_now())
    remove_member(tenant_id=acme.tenant.id, membership_id=member.id, owners=True, acting=TESTER, now=utc_now())


def _suspend(acme: Player) -> None:
    suspend_tenant(tenant_id=acme.tenant.id, reason="unpaid", acting=TESTER, now=utc_now())


def _end_all(acme: Player) -> None:
    assert end_api_sessions_of(user_id=acme.owner.pk, acting=TESTER, now=utc_now()) == 1


@pytest.mark.parametrize("happens", [_lock, _new_password, _remove, _suspend, _end_all])
def test_what_is_behind_a_session_ends_it_at_once(happens: Any, acme: Player) -> None:
    tokens = opened(acme)
    assert works(tokens, acme.tenant)
    happens(acme)
    assert not works(tokens, acme.tenant)
    assert refreshed(tokens["refresh_token"]).status_code == 401
    assert api_sessions_of(acme.tenant.id, acme.owner.pk, utc_now()) == []


@pytest.mark.parametrize(
    ("happens", "why", "by"),
    [
        (_lock, "ACCOUNT", "lumos"),
        (_new_password, "ACCOUNT", "lumos"),
        (_suspend, "TENANT", TESTER.label),
        (_end_all, "ACCOUNT", TESTER.label),
    ],
)
def test_the_log_says_once_why_a_session_ended(happens: Any, why: str, by: str, acme: Player) -> None:
    tokens = opened(acme)
    happens(acme)
    for _ in range(2):
        refreshed(tokens["refresh_token"])
    entry = the_entry(action="api_sessions.end")
    assert (entry.target, entry.actor_label, entry.detail) == (tokens["session_id"], by, {"why": why})


def test_sessions_do_not_come_back_with_the_tenant_or_the_membership(acme: Player) -> None:
    tokens = opened(acme)
    _suspend(acme)
    refused = Caller(host=ACME).post("/auth/tokens", OWNER)
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_status")
    resume_tenant(tenant_id=acme.tenant.id, acting=TESTER, now=utc_now())
    assert not works(tokens, acme.tenant)
    again = opened(acme)
    _remove(acme)
    add_member(tenant_id=acme.tenant.id, email=acme.owner.username, role=Role.OWNER, acting=TESTER, now=utc_now())
    assert not works(again, acme.tenant)


def test_one_lists_and_ends_ones_own_sessions_and_no_others(acme: Player, globex: Player) -> None:
    laptop, phone, foreign = opened(acme, "laptop"), opened(acme, "phone"), opened(globex)
    caller = Caller(phone["access_token"], host=ACME)
    assert [row["name"] for row in caller.get("/auth/sessions").json()["data"]] == ["phone", "laptop"]
    for strange in (foreign["session_id"], f"ses_{new_ulid()}", "ses_x"):
        assert caller.delete(f"/auth/tokens/{strange}").status_code == 404
    assert caller.delete(f"/auth/tokens/{laptop['session_id']}").status_code == 204
    assert caller.delete(f"/auth/tokens/{laptop['session_id']}").status_code == 204
    assert not works(laptop, acme.tenant)
    assert works(foreign, globex.tenant)
    assert AuditEntry.objects.filter(action="api_sessions.end", target=laptop["session_id"]).count() == 1


def test_a_colleague_neither_sees_nor_ends_them(acme: Player) -> None:
    tokens = opened(acme)
    add_member(
        tenant_id=acme.tenant.id,
        email="bob@acme.example",
        role=Role.OWNER,
        acting=TESTER,
        now=utc_now(),
        password=PASSWORD,
    )
    bob = Caller(host=ACME).post("/auth/tokens", {"email": "bob@acme.example", "password": PASSWORD}).json()
    caller = Caller(bob["access_token"], host=ACME)
    assert len(caller.get("/auth/sessions").json()["data"]) == 1
    assert caller.delete(f"/auth/tokens/{tokens['session_id']}").status_code == 404


def test_the_session_that_rested_longest_gives_way_to_the_newest(acme: Player) -> None:
    member, now = Membership.objects.get(tenant=acme.tenant), utc_now()
    for second in range(MOST + 1):
        moment = now + timedelta(seconds=second)
        open_api_session(membership_id=member.id, name=str(second), address="", acting=TESTER, now=moment)
    names = {session.name for session in api_sessions_of(acme.tenant.id, acme.owner.pk, now)}
    assert names == {str(second) for second in range(1, MOST + 1)}
    assert the_entry(action="api_sessions.end").detail == {"why": "CROWDED"}
