"""A tenant that demands a second factor: nothing of it opens before a member has proved one."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator

from core.clock import utc_now
from tenants.api import REQUIRE_FACTOR, Editor, change_settings
from tests.accounts.conftest import Person, member_in_a_browser
from tests.cast import PASSWORD, TESTER, Player
from tests.rest import Caller, path_of


@pytest.fixture
def demanded(acme: Player) -> Player:
    demand(acme, True)
    return acme


def demand(player: Player, value: bool) -> None:
    change_settings(
        tenant_id=player.tenant.id,
        values={REQUIRE_FACTOR: value},
        editor=Editor.OWNER,
        acting=TESTER,
        now=utc_now(),
    )


def test_a_member_without_one_can_only_add_it(demanded: Player, amy: Person) -> None:
    amy.password()
    for address in ("/", "/keys/", "/settings/", "/settings/security/", "/playground/"):
        assert amy.client.get(address)["Location"] == "/settings/security/app/", address
    answer = amy.client.get(f"/api/v1{path_of(demanded.tenant)}")
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_not_proved")
    given = {"email": amy.name, "password": PASSWORD}
    assert Caller(host="acme.localhost").post("/auth/tokens", given).json()["code"] == "second_factor_needed"
    amy.enrol()
    assert amy.client.get("/").status_code == 200
    assert amy.client.get(f"/api/v1{path_of(demanded.tenant)}").status_code == 200


def test_it_holds_for_sessions_that_are_open_and_for_the_last_factor(acme: Player, amy: Person) -> None:
    amy.password()
    assert amy.client.get("/").status_code == 200
    demand(acme, True)
    assert amy.client.get("/").status_code == 302
    amy.enrol()
    factor = Authenticator.objects.get(type="totp")
    assert amy.client.post(f"/settings/security/factors/{factor.pk}/remove/").status_code == 403
    demand(acme, False)
    assert amy.client.post(f"/settings/security/factors/{factor.pk}/remove/").status_code == 302


def test_one_tenants_wish_is_no_other_tenants(demanded: Player, globex: Player) -> None:
    mallory = member_in_a_browser(globex)
    mallory.password()
    assert mallory.client.get("/").status_code == 200


def test_an_api_session_that_a_password_alone_opened_ends_when_a_factor_is_demanded(acme: Player, amy: Person) -> None:
    caller, given = Caller(host="acme.localhost"), {"email": amy.name, "password": PASSWORD}
    tokens = caller.post("/auth/tokens", given).json()
    assert Caller(tokens["access_token"]).get(path_of(acme.tenant)).status_code == 200
    amy.password()
    amy.enrol()
    proved = caller.post("/auth/tokens", {**given, "code": amy.code()}).json()
    demand(acme, True)
    assert Caller(tokens["access_token"]).get(path_of(acme.tenant)).status_code == 401
    assert caller.post("/auth/tokens/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert Caller(proved["access_token"]).get(path_of(acme.tenant)).status_code == 200
    assert caller.post("/auth/tokens/refresh", {"refresh_token": proved["refresh_token"]}).status_code == 200
