"""A member's own settings."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from audit.models import AuditEntry
from portal.settings.theme import COOKIE
from tests.cast import PASSWORD, Player
from tests.portal.conftest import SignIn, stranger

NEW = "a-much-better-passphrase"


def change(client, old: str = PASSWORD, new: str = NEW, again: str = NEW):
    return client.post("/settings/password/", {"old_password": old, "new_password1": new, "new_password2": again})


@pytest.mark.parametrize(("theme", "attribute"), [("dark", 'class="dark"'), ("light", 'class="light"')])
def test_a_chosen_theme_is_drawn_by_the_server(acme: Player, as_role: SignIn, theme: str, attribute: str) -> None:
    client = as_role(acme.tenant)
    assert client.post("/settings/theme/", {"theme": theme})["Location"] == "/settings/"
    assert f'<html lang="en" {attribute}>' in client.get("/").content.decode()
    client.post("/settings/theme/", {"theme": "system"})
    assert '<html lang="en">' in client.get("/").content.decode()


def test_a_theme_of_somebody_elses_making_is_not_written_into_the_page(acme: Player, as_role: SignIn) -> None:
    client = as_role(acme.tenant)
    assert client.post("/settings/theme/", {"theme": 'x" onload="'}).status_code == 400
    client.cookies[COOKIE] = 'dark"><script>'
    assert '<html lang="en">' in client.get("/").content.decode()


@pytest.mark.parametrize("language", ["zh-hans", "zh-hant"])
def test_the_language_is_kept_by_the_browser(acme: Player, as_role: SignIn, language: str) -> None:
    client = as_role(acme.tenant)
    assert client.post("/i18n/setlang/", {"language": language, "next": "/settings/"})["Location"] == "/settings/"
    assert f'<html lang="{language}">' in client.get("/").content.decode()


def test_a_changed_password_holds_and_this_session_stays(acme: Player) -> None:
    client, other = stranger(acme.tenant), stranger(acme.tenant)
    client.force_login(acme.owner)
    other.force_login(acme.owner)
    page = change(client)
    assert page.status_code == 302
    assert "Your password is changed." in client.get("/settings/").content.decode()
    assert User.objects.get(pk=acme.owner.pk).check_password(NEW)
    assert other.get("/").status_code == 302
    assert AuditEntry.objects.filter(action="accounts.change_password").count() == 1


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"old": "wrong"}, "old password was entered incorrectly"),
        ({"again": "another-passphrase"}, "t match"),
        ({"new": "short", "again": "short"}, "at least 12 characters"),
    ],
)
def test_a_password_that_will_not_do_is_refused_in_words(
    acme: Player, as_role: SignIn, answers: dict[str, str], words: str
) -> None:
    response = change(as_role(acme.tenant), **answers)
    assert response.status_code == 400
    assert words in response.content.decode()


def test_programs_that_are_signed_in_are_listed_and_ended(acme: Player, globex: Player) -> None:
    def open_api_session(player: Player) -> str:
        sent = {"email": player.owner.username, "password": PASSWORD, "name": "my <laptop>"}
        client = stranger(player.tenant)
        return client.post("/api/v1/auth/tokens", sent, content_type="application/json").json()["session_id"]

    mine, foreign = open_api_session(acme), open_api_session(globex)
    client = stranger(acme.tenant)
    client.force_login(acme.owner)
    page = client.get("/settings/").content.decode()
    assert f"/settings/api-sessions/{mine}/end/" in page
    assert "my &lt;laptop&gt;" in page
    assert foreign not in page
    assert client.post(f"/settings/api-sessions/{foreign}/end/").status_code == 404
    assert client.post("/settings/api-sessions/ses_x/end/").status_code == 404
    assert client.post(f"/settings/api-sessions/{mine}/end/")["Location"] == "/settings/"
    assert mine not in client.get("/settings/").content.decode()


def test_a_changed_password_ends_them_too(acme: Player) -> None:
    client = stranger(acme.tenant)
    sent = {"email": acme.owner.username, "password": PASSWORD}
    session = client.post("/api/v1/auth/tokens", sent, content_type="application/json").json()["session_id"]
    client.force_login(acme.owner)
    change(client)
    assert AuditEntry.objects.get(action="api_sessions.end").target == session
