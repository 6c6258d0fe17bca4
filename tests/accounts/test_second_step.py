"""Signing in with a second factor, on both sites: what opens, what does not, and what is left in the log."""

from __future__ import annotations

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts.adapters import FactorAdapter, factors_of
from core import attempts
from core.crypto import SealBroken, versions_in
from tests.accounts.conftest import Person, age_the_proof, member_in_a_browser, operator_in_a_browser
from tests.audit.reading import entries
from tests.cast import PASSWORD, Operator, Player
from tests.codes import app_code, key_shown
from tests.rest import Caller

HOME = {"/admin/login/": "/admin/", "/sign-in/": "/"}


def test_a_right_password_opens_nothing_for_who_has_a_factor(enrolled: Person) -> None:
    other = enrolled.again()
    answer = other.password()
    assert answer["Location"].endswith("sign-in/code/")
    assert other.client.get(HOME[other.entrance]).status_code == 302
    assert other.client.get(other.security).status_code == 302
    assert len(entries(action="sessions.sign_in")) == 1


def test_the_code_of_the_app_opens_what_was_asked_for(enrolled: Person) -> None:
    other, wanted = enrolled.again(), f"{enrolled.security}app/"
    other.password(next=wanted)
    assert other.second_step()["Location"] == wanted
    assert other.client.get(other.security).status_code == 200
    last = entries(action="sessions.sign_in")[-1]
    assert last.detail == {"from": "127.0.0.1", "by": "password, totp"}


def test_a_code_works_once(enrolled: Person) -> None:
    code, other, third = enrolled.code(), enrolled.again(), enrolled.again()
    other.password()
    third.password()
    assert other.second_step(code).status_code == 302
    assert third.second_step(code).status_code == 401
    assert third.client.get(third.security).status_code == 302


@pytest.mark.parametrize("steps", [-3, -2, 2, 3])
def test_a_code_of_another_time_is_refused(enrolled: Person, steps: int) -> None:
    other = enrolled.again()
    other.password()
    answer = other.second_step(app_code(enrolled.key, steps=steps))
    assert (answer.status_code, b"The code is wrong" in answer.content) == (401, True)


def test_a_recovery_code_works_once_and_is_written_down(enrolled: Person) -> None:
    assert len(enrolled.codes) == 10
    other, third = enrolled.again(), enrolled.again()
    other.password()
    third.password()
    assert other.second_step(enrolled.codes[3]).status_code == 302
    assert third.second_step(enrolled.codes[3]).status_code == 401
    assert [entry.detail for entry in entries(action="factors.use_recovery_code")] == [{"left": 9}]


def test_guessing_codes_is_stopped_for_the_account_from_wherever_it_comes(enrolled: Person) -> None:
    for number in range(attempts.CODES_PER_ACCOUNT):
        guesser = enrolled.again(REMOTE_ADDR=f"192.0.2.{number}")
        guesser.password()
        assert guesser.second_step("000000").status_code == 401
    other = enrolled.again()
    other.password()
    answer = other.second_step()
    assert (answer.status_code, 0 < int(answer["Retry-After"]) <= attempts.WINDOW_SECONDS) == (429, True)


def test_the_second_step_without_the_first_sends_to_the_first(person: Person) -> None:
    answer = person.again().second_step("123456")
    assert (answer.status_code, answer["Location"]) == (302, person.entrance)


def test_a_changed_password_ends_the_waiting(enrolled: Person) -> None:
    other = enrolled.again()
    other.password()
    account = User.objects.get(username=enrolled.name)
    account.set_password("another-passphrase")
    account.save()
    assert other.second_step()["Location"] == other.entrance


def test_the_first_step_at_one_place_is_none_at_another(acme: Player, globex: Player, amy: Person) -> None:
    amy.password()
    amy.enrol()
    other = amy.again()
    other.password()
    cookie = other.client.cookies["lumos_session"].value
    for host in ("globex.localhost", "localhost"):
        elsewhere = Client(SERVER_NAME=host)
        elsewhere.cookies["lumos_session"] = cookie
        address = "/admin/sign-in/code/" if host == "localhost" else "/sign-in/code/"
        answer = elsewhere.post(address, {"code": other.code()})
        assert answer["Location"] in ("/admin/login/", "/sign-in/")


# --- operators ----------------------------------------------------------------------------------------------------


def test_an_operator_without_a_factor_can_only_add_one(olivia: Operator) -> None:
    person = operator_in_a_browser()
    assert person.password()["Location"] == "/admin/security/app/"
    for address in ("/admin/", "/admin/tenants/tenant/", "/admin/auth/user/", "/admin/search/?s=a"):
        assert person.client.get(address)["Location"].startswith("/admin/login/"), address
    assert person.client.get("/admin/login/?next=/admin/")["Location"] == "/admin/security/app/"
    for address in ("", "codes/", "factors/1/remove/", "sessions/1/end/", "sessions/end-others/"):
        assert person.client.get(f"/admin/security/{address}")["Location"] == "/admin/security/app/", address
    page = person.client.get("/admin/security/app/").content.decode()
    assert "Operators need a second factor." in page
    refused = person.client.get("/api/v1/tenants")
    assert (refused.status_code, refused.json()["code"]) == (401, "second_factor_not_proved")


def test_after_adding_it_everything_opens_without_another_sign_in(olivia: Operator) -> None:
    person = operator_in_a_browser()
    person.password()
    assert person.enrol().status_code == 200
    assert person.client.get("/admin/").status_code == 200
    assert person.client.get("/api/v1/tenants").status_code == 200
    assert [entry.detail for entry in entries(action="factors.add")] == [{"kind": "totp"}]
    assert entries(action="factors.add")[0].actor_kind == "operator"


def test_a_members_session_without_a_factor_opens_no_operators_page(olivia: Operator, acme: Player) -> None:
    """Sessions are one table: the cookie of a portal, carried to the operators' host by hand, has proved too little."""
    acme.owner.is_staff = True
    acme.owner.save()
    person = member_in_a_browser(acme)
    person.password()
    carried = Client(SERVER_NAME="localhost")
    carried.cookies["lumos_session"] = person.client.cookies["lumos_session"].value
    assert carried.get("/admin/")["Location"].startswith("/admin/login/")
    assert carried.get("/api/v1/tenants").status_code == 401


def test_an_operator_keeps_the_last_factor(olivia: Operator) -> None:
    person = operator_in_a_browser()
    person.password()
    person.enrol()
    factor = Authenticator.objects.get(type="totp")
    answer = person.client.post(f"/admin/security/factors/{factor.pk}/remove/")
    assert (answer.status_code, b"may not be left without" in answer.content) == (403, True)
    assert Authenticator.objects.filter(pk=factor.pk).exists()


# --- what is kept -------------------------------------------------------------------------------------------------


def test_no_secret_of_a_factor_is_at_rest_in_clear(enrolled: Person) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(data::text, ' ') FROM mfa_authenticator")
        kept = cursor.fetchone()[0]
    assert enrolled.key not in kept
    assert not any(code in kept for code in enrolled.codes)
    assert len(versions_in(kept)) == 2


def test_the_key_waits_sealed_in_the_session_until_it_is_proved(person: Person) -> None:
    key = key_shown(person.client.get(f"{person.security}app/").content.decode())
    assert key not in str(dict(person.client.session.items()))
    assert "app_secret" in person.client.session


def test_a_sealed_secret_opens_nothing_in_another_accounts_row(enrolled: Person, globex: Player) -> None:
    sealed = Authenticator.objects.get(type="totp").data["secret"]
    with factors_of(globex.owner.pk), pytest.raises(SealBroken):
        FactorAdapter().decrypt(sealed)
    with pytest.raises(LookupError):
        FactorAdapter().decrypt(sealed)


def test_a_wrong_code_adds_nothing_and_the_key_stays(person: Person) -> None:
    key = key_shown(person.client.get(f"{person.security}app/").content.decode())
    answer = person.client.post(f"{person.security}app/", {"code": "000000"})
    assert (answer.status_code, key_shown(answer.content.decode())) == (401, key)
    assert not Authenticator.objects.exists()


# --- proving again ------------------------------------------------------------------------------------------------


def test_after_a_while_factors_are_changed_only_by_who_proves_themselves_again(enrolled: Person) -> None:
    age_the_proof(enrolled)
    factor = Authenticator.objects.get(type="totp")
    for address in ("app/", f"factors/{factor.pk}/remove/"):
        answer = enrolled.client.get(f"{enrolled.security}{address}")
        assert answer["Location"].startswith(f"{enrolled.security}confirm/?next="), address
    assert enrolled.client.post(f"{enrolled.security}codes/").status_code == 302
    assert len(entries(action="factors.renew_codes")) == 1
    confirm = f"{enrolled.security}confirm/"
    assert enrolled.client.post(confirm, {"secret": PASSWORD}).status_code == 401
    assert enrolled.client.post(confirm, {"secret": enrolled.code()}).status_code == 302
    assert enrolled.client.post(f"{enrolled.security}codes/").status_code == 200


def test_who_has_no_factor_proves_themselves_by_the_password(acme: Player, amy: Person) -> None:
    amy.password()
    age_the_proof(amy)
    assert amy.client.get("/settings/security/app/").status_code == 302
    assert amy.client.post("/settings/security/confirm/", {"secret": "wrong"}).status_code == 401
    answer = amy.client.post("/settings/security/confirm/", {"secret": PASSWORD, "next": "//evil.example/"})
    assert answer["Location"] == "/settings/security/"
    assert amy.client.get("/settings/security/app/").status_code == 200


def test_a_session_that_gave_a_password_only_cannot_change_the_factors_of_its_account(
    acme: Player, amy: Person
) -> None:
    """It was opened before there was a factor, and is not in the list, as sessions of old are not."""
    old = amy.again()
    old.client.force_login(acme.owner)
    session = old.client.session
    session["proof"]["factor"] = False
    session.save()
    amy.password()
    amy.enrol()
    assert old.client.get("/settings/security/app/")["Location"].startswith("/settings/security/confirm/")
    assert old.client.post("/settings/security/codes/").status_code == 302
    assert len(entries(action="factors.renew_codes")) == 1


# --- callers without a browser ------------------------------------------------------------------------------------


def test_an_api_session_asks_for_the_factor_too_and_takes_a_code_once(acme: Player, amy: Person) -> None:
    amy.password()
    amy.enrol()
    code, caller = amy.code(), Caller(host="acme.localhost")
    given = {"email": amy.name, "password": PASSWORD}
    assert caller.post("/auth/tokens", given).json()["code"] == "second_factor_needed"
    assert caller.post("/auth/tokens", {**given, "code": "000000"}).status_code == 401
    assert caller.post("/auth/tokens", {**given, "code": code}).status_code == 201
    assert caller.post("/auth/tokens", {**given, "code": code}).status_code == 401
