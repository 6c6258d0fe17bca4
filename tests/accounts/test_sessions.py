"""The list of one's own sessions, ending them, and what ends by itself."""

from __future__ import annotations

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.core.management import CommandError, call_command

from accounts.api import reset_factors
from accounts.browsers import browser_name
from audit.models import AuditEntry
from core.clock import utc_now
from tests.accounts.conftest import Person, member_in_a_browser, operator_in_a_browser
from tests.audit.reading import the_entry
from tests.cast import PASSWORD, TESTER, Operator, Player

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def signed_in_again(amy: Person, **headers: str) -> Person:
    other = amy.again(**headers)
    assert other.password().status_code == 302
    return other


def test_the_list_names_browser_address_and_host(acme: Player, amy: Person) -> None:
    amy.password()
    signed_in_again(amy, HTTP_USER_AGENT=FIREFOX, REMOTE_ADDR="198.51.100.7")
    page = amy.client.get("/settings/security/").content.decode()
    assert "Firefox, Linux" in page
    assert "acme.localhost · 198.51.100.7" in page
    assert page.count("this one") == 1


def test_an_ended_session_opens_nothing(acme: Player, amy: Person) -> None:
    amy.password()
    other = signed_in_again(amy)
    row = UserSession.objects.get(session_key=other.client.session.session_key)
    assert amy.client.post(f"/settings/security/sessions/{row.pk}/end/").status_code == 302
    assert other.client.get("/").status_code == 302
    assert amy.client.get("/").status_code == 200
    assert AuditEntry.objects.filter(action="sessions.end").count() == 1


def test_all_others_end_at_once(acme: Player, amy: Person) -> None:
    amy.password()
    others = [signed_in_again(amy) for _ in range(3)]
    assert amy.client.post("/settings/security/sessions/end-others/").status_code == 302
    assert [other.client.get("/").status_code for other in others] == [302, 302, 302]
    assert amy.client.get("/").status_code == 200
    assert [entry.detail for entry in AuditEntry.objects.filter(action="sessions.end_others")] == [{"count": 3}]


def test_mallory_ends_and_sees_no_session_of_amys(acme: Player, globex: Player, amy: Person) -> None:
    amy.password()
    mallory = member_in_a_browser(globex)
    mallory.password()
    row = UserSession.objects.get(session_key=amy.client.session.session_key)
    for number in (row.pk, "nonsense", 10**12):
        assert mallory.client.post(f"/settings/security/sessions/{number}/end/").status_code == 404
    assert amy.client.get("/").status_code == 200
    assert "acme.localhost" not in mallory.client.get("/settings/security/").content.decode()


def test_the_first_factor_ends_sessions_that_never_proved_one(acme: Player, amy: Person) -> None:
    amy.password()
    other = signed_in_again(amy)
    amy.enrol()
    assert other.client.get("/").status_code == 302
    assert amy.client.get("/").status_code == 200


def test_a_changed_password_leaves_this_session_alone_in_the_list(acme: Player, amy: Person) -> None:
    amy.password()
    signed_in_again(amy)
    new = {"old_password": PASSWORD, "new_password1": "a-better-passphrase", "new_password2": "a-better-passphrase"}
    assert amy.client.post("/settings/password/", new).status_code == 302
    page = amy.client.get("/settings/security/").content.decode()
    assert (page.count("this one"), page.count("acme.localhost ·")) == (1, 1)


def test_signing_out_leaves_the_list_too(acme: Player, amy: Person) -> None:
    amy.password()
    other = signed_in_again(amy)
    other.client.post("/sign-out/")
    assert amy.client.get("/settings/security/").content.decode().count("acme.localhost ·") == 1
    signed_in_again(amy)
    assert UserSession.objects.count() == 2


def test_who_lost_all_factors_starts_over_and_old_sessions_end(acme: Player, amy: Person) -> None:
    amy.password()
    amy.enrol()
    assert reset_factors(account=acme.owner, acting=TESTER, reason="phone lost", now=utc_now()) == 2
    assert amy.client.get("/").status_code == 302
    assert not Authenticator.objects.exists()
    assert amy.password()["Location"] == "/"
    entry = the_entry(action="factors.reset")
    assert (entry.reason, entry.detail) == ("phone lost", {"removed": 2, "sessions": 1})


def test_the_command_line_lets_a_locked_out_operator_start_over(olivia: Operator) -> None:
    person = operator_in_a_browser()
    person.password()
    person.enrol()
    said = StringIO()
    call_command("reset-factors", "Olivia", "--reason", "seen in person", stdout=said)
    assert said.getvalue() == "olivia: 2 factors removed, all sessions ended.\n"
    assert person.client.get("/admin/").status_code == 302
    assert person.password()["Location"] == "/admin/security/app/"
    with pytest.raises(CommandError, match="no account nobody"):
        call_command("reset-factors", "nobody", "--reason", "none")


@pytest.mark.parametrize(
    ("says", "name"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1", "Safari, iPhone"),
        ("Firefox/1.0", "Firefox"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("x" * 100, "x" * 59 + "…"),
        ("", ""),
    ],
)
def test_browsers_have_names(says: str, name: str) -> None:
    assert browser_name(says) == name


def test_a_session_of_a_portal_does_not_open_the_operators_site(acme: Player, amy: Person) -> None:
    """A provider of acme's may say that somebody is amy, and she may be an operator, too."""
    amy.password()
    amy.enrol()
    acme.owner.is_staff = acme.owner.is_superuser = True
    acme.owner.save()
    assert amy.client.get("/").status_code == 200
    assert amy.client.get("/admin/", SERVER_NAME="localhost").status_code == 302
    assert amy.client.get("/api/v1/tenants", SERVER_NAME="localhost").status_code == 401
