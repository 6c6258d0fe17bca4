"""Letters: a new password, and a proof of an address; what their links do, once, and what nobody learns from asking."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core import mail as django_mail
from django.test import Client

from accounts.tokens import VALID_FOR, Purpose, account_in, holds, letter_token
from audit.models import AuditEntry
from core import attempts
from core.clock import utc_now
from mail.api import send_waiting
from mail.models import OutgoingMail
from tests.accounts.conftest import Person, operator_in_a_browser
from tests.cast import PASSWORD, Operator, Player

NEW = "a-much-better-passphrase"
NOW = utc_now()


@pytest.fixture(autouse=True)
def _letters_in_memory(settings: Any, db: None) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    django_mail.outbox = []


def link() -> str:
    """The path of the link in the one letter that is sent."""
    assert send_waiting(now=utc_now()) == 1
    found = re.search(r"https?://[^/\s]+(/\S+)", django_mail.outbox[-1].body)
    assert found
    return found[1]


def ask(client: Client, email: str, host: str = "") -> Any:
    return client.post("/sign-in/reset/", {"email": email}, **({"HTTP_HOST": host} if host else {}))


def choose(client: Client, path: str, password: str = NEW) -> Any:
    opened = client.get(path)
    return client.post(opened["Location"], {"password": password}) if opened.status_code == 302 else opened


def test_a_new_password_opens_and_the_old_one_and_old_sessions_do_not(acme: Player, amy: Person) -> None:
    amy.password()
    other = amy.again()
    ask(other.client, " Amy@ACME.example ")
    assert choose(other.client, link())["Location"] == "/sign-in/"
    assert amy.client.get("/").status_code == 302
    assert other.password(PASSWORD).status_code == 401
    assert other.password(NEW).status_code == 302
    assert AuditEntry.objects.filter(action="accounts.reset_password", tenant_id=acme.tenant.id).count() == 1


def test_it_is_no_way_around_the_second_factor(acme: Player, amy: Person) -> None:
    amy.password()
    amy.enrol()
    other = amy.again()
    ask(other.client, amy.name)
    choose(other.client, link())
    assert other.password(NEW)["Location"] == "/sign-in/code/"


def test_the_link_works_once_and_the_address_bar_loses_it(acme: Player, amy: Person) -> None:
    ask(amy.client, amy.name)
    path = link()
    assert amy.client.get(path)["Location"] == "/sign-in/reset/new/"
    assert choose(amy.client, path).status_code == 302
    for client in (amy.client, amy.again().client):
        assert choose(client, path).status_code == 401
    assert amy.client.get("/sign-in/reset/new/").status_code == 401


def test_who_has_no_account_here_gets_no_letter_and_the_same_answer(acme: Player, globex: Player, amy: Person) -> None:
    known = ask(amy.client, amy.name).content.decode().replace(amy.name, "X")
    for email in ("nobody@acme.example", "mallory@globex.example"):
        answer = ask(amy.again().client, email)
        strip = re.compile(r'csrfmiddlewaretoken" value="\w+"')
        assert strip.sub("", answer.content.decode().replace(email, "X")) == strip.sub("", known)
    assert [letter.to for letter in OutgoingMail.objects.all()] == [amy.name]
    assert AuditEntry.objects.filter(action="accounts.ask_reset").count() == 1


def test_the_link_leads_to_the_tenants_own_portal_whatever_host_was_claimed(acme: Player, amy: Person) -> None:
    amy.client.post("/sign-in/reset/", {"email": amy.name}, HTTP_X_FORWARDED_HOST="evil.example")
    send_waiting(now=utc_now())
    assert "http://acme.localhost/sign-in/reset/" in django_mail.outbox[0].body
    assert ask(Client(), amy.name, "evil.example").status_code == 400


def test_asking_is_counted(acme: Player, amy: Person) -> None:
    statuses = [ask(amy.client, amy.name).status_code for _ in range(attempts.PER_ACCOUNT + 1)]
    assert statuses == [200] * attempts.PER_ACCOUNT + [429]


def test_a_weak_password_is_refused_and_the_link_still_works(acme: Player, amy: Person) -> None:
    ask(amy.client, amy.name)
    path = link()
    assert b"at least 12 characters" in choose(amy.client, path, "short").content
    assert choose(amy.client, path).status_code == 302


def test_an_operator_gets_a_link_to_the_operators_site_and_members_get_none_there(
    olivia: Operator, acme: Player
) -> None:
    person = operator_in_a_browser()
    person.client.post("/admin/sign-in/reset/", {"email": "amy@acme.example"})
    person.client.post("/admin/sign-in/reset/", {"email": "olivia@lumos.example"})
    path = link()
    assert path.startswith("/admin/sign-in/reset/")
    assert choose(person.client, path)["Location"] == "/admin/login/"
    assert person.password(NEW)["Location"] == "/admin/security/app/"


def test_an_address_is_proved_by_its_letter_once_and_by_a_click_only(acme: Player, amy: Person) -> None:
    amy.password()
    assert b"not confirmed" in amy.client.get("/settings/security/").content
    amy.client.post("/settings/security/address/")
    path = link()
    assert amy.again().client.get(path).status_code == 200
    assert not EmailAddress.objects.exists()
    assert b"Your address is confirmed." in amy.again().client.post(path).content
    assert EmailAddress.objects.get().verified
    assert amy.client.post(path).status_code == 401
    assert b"not confirmed" not in amy.client.get("/settings/security/").content
    assert AuditEntry.objects.filter(action="accounts.prove_address").count() == 1


def test_an_address_that_another_account_proved_is_not_proved_twice(acme: Player, amy: Person) -> None:
    rival = User.objects.create_user("rival", amy.name)
    EmailAddress.objects.create(user=rival, email=amy.name, verified=True, primary=True)
    amy.password()
    amy.client.post("/settings/security/address/")
    answer = amy.client.post(link())
    assert (answer.status_code, b"Another account has proved" in answer.content) == (409, True)


def test_a_token_holds_for_its_account_purpose_state_and_time_only() -> None:
    token = letter_token(Purpose.RESET, account_id=7, state="s", now=NOW)
    assert account_in(token) == 7
    assert holds(token, Purpose.RESET, state="s", now=NOW)
    assert not holds(token, Purpose.ADDRESS, state="s", now=NOW)
    assert not holds(token, Purpose.RESET, state="t", now=NOW)
    assert not holds(token, Purpose.RESET, state="s", now=NOW + VALID_FOR[Purpose.RESET])
    assert not holds(token, Purpose.RESET, state="s", now=NOW - timedelta(seconds=10))
    for forged in ("8" + token[1:], token[:-1] + ("0" if token[-1] != "0" else "1"), token.replace("-1-", "-2-")):
        assert not holds(forged, Purpose.RESET, state="s", now=NOW)


@pytest.mark.parametrize("text", ["", "x", "1-2-3", "a-b-c-d", "1-2-3-4-5", "²-2-3-4", "9" * 16 + "-1-1-x", "1--1-1-x"])
def test_what_is_no_token_speaks_of_nobody(text: str) -> None:
    assert account_in(text) == 0
    assert not holds(text, Purpose.RESET, state="s", now=NOW)


@pytest.mark.parametrize("host", ["acme.localhost", "localhost"])
def test_a_link_with_letters_that_no_token_has_is_void(acme: Player, host: str) -> None:
    path = "/sign-in/reset/" if host.startswith("acme") else "/admin/sign-in/reset/"
    client = Client(SERVER_NAME=host)
    assert client.get(f"{path}{acme.owner.pk}-1-1-é/").status_code == 401
    assert client.post(f"{path.replace('reset', 'address')}{acme.owner.pk}-1-1-é/").status_code == 401
