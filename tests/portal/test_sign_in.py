"""Signing in and out."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import redis as redis_library
from django.test import Client, RequestFactory
from django.utils import timezone

from audit.models import AuditEntry
from core import attempts
from core.address import client_address
from tests.cast import PASSWORD, Player
from tests.portal.conftest import host_of, stranger


def try_in(client: Client, email: str, password: str = PASSWORD, **more: str):
    return client.post("/sign-in/", {"email": email, "password": password, **more})


def test_a_member_signs_in_and_lands_on_the_first_page(acme: Player) -> None:
    client = stranger(acme.tenant)
    response = try_in(client, " Amy@ACME.example ")
    assert (response.status_code, response["Location"]) == (302, "/")
    assert client.get("/").status_code == 200
    assert AuditEntry.objects.filter(action="sessions.sign_in", tenant_id=acme.tenant.id).count() == 1


@pytest.mark.parametrize(("email", "password"), [("amy@acme.example", "wrong"), ("nobody@acme.example", PASSWORD)])
def test_a_wrong_password_and_an_unknown_account_read_the_same(acme: Player, email: str, password: str) -> None:
    response = try_in(stranger(acme.tenant), email, password)
    assert response.status_code == 401
    assert b"E-mail or password is wrong, or the account is not a member of Acme." in response.content


def test_mallory_cannot_sign_in_at_acme_with_her_own_password(acme: Player, globex: Player) -> None:
    client = stranger(acme.tenant)
    assert try_in(client, "mallory@globex.example").status_code == 401
    assert client.get("/").status_code == 302


def test_a_session_of_one_tenant_opens_no_other(acme: Player, globex: Player) -> None:
    client = stranger(globex.tenant)
    try_in(client, "mallory@globex.example")
    assert client.get("/").status_code == 200
    assert client.get("/", SERVER_NAME=host_of(acme.tenant)).status_code == 302


def test_the_session_gets_a_new_key_at_sign_in(acme: Player) -> None:
    client = stranger(acme.tenant)
    session = client.session
    session["before"] = str(timezone.now())
    session.save()
    before = session.session_key
    try_in(client, "amy@acme.example")
    assert client.session.session_key != before


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/usage/?days=30", "/usage/?days=30"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("http://globex.localhost/", "/"),
        ("", "/"),
    ],
)
def test_next_stays_on_this_host(acme: Player, wanted: str, lands: str) -> None:
    assert try_in(stranger(acme.tenant), "amy@acme.example", next=wanted)["Location"] == lands


def test_who_is_signed_in_already_is_not_asked_again(acme: Player) -> None:
    client = stranger(acme.tenant)
    client.force_login(acme.owner)
    assert client.get("/sign-in/?next=/keys/")["Location"] == "/keys/"


def test_the_form_needs_its_token(acme: Player) -> None:
    client = Client(SERVER_NAME=host_of(acme.tenant), enforce_csrf_checks=True)
    response = try_in(client, "amy@acme.example")
    assert response.status_code == 403
    assert b"This form can no longer be sent" in response.content


def test_signing_out_ends_the_session(acme: Player) -> None:
    client = stranger(acme.tenant)
    client.force_login(acme.owner)
    assert client.post("/sign-out/")["Location"] == "/sign-in/"
    assert client.get("/").status_code == 302
    assert client.post("/sign-out/").status_code == 302


def test_guessing_is_stopped_even_with_the_right_password(acme: Player, globex: Player) -> None:
    client = stranger(acme.tenant)
    for _ in range(attempts.PER_ACCOUNT):
        assert try_in(client, "amy@acme.example", "wrong").status_code == 401
    response = try_in(client, "amy@acme.example")
    assert response.status_code == 429
    assert 0 < int(response["Retry-After"]) <= attempts.WINDOW_SECONDS
    assert b"Try again in 15 min." in response.content
    assert try_in(stranger(globex.tenant), "mallory@globex.example").status_code == 302


def test_a_success_gives_the_account_its_attempts_back(acme: Player) -> None:
    client = stranger(acme.tenant)
    for _ in range(3):
        for _ in range(attempts.PER_ACCOUNT - 1):
            try_in(client, "amy@acme.example", "wrong")
        assert try_in(client, "amy@acme.example").status_code == 302


def test_one_address_cannot_try_many_accounts(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "PER_ADDRESS", 3)
    client = stranger(acme.tenant)
    statuses = [try_in(client, f"someone{number}@acme.example").status_code for number in range(5)]
    assert statuses == [401, 401, 401, 429, 429]


def test_counters_end_by_themselves_and_name_no_account(acme: Player, redis: redis_library.Redis) -> None:
    try_in(stranger(acme.tenant), "amy@acme.example", "wrong")
    names = list(redis.scan_iter("*sign-in:attempts*"))
    assert len(names) == 2
    assert all(0 < redis.ttl(name) <= attempts.WINDOW_SECONDS for name in names)
    assert not any(b"amy" in name for name in names)


def test_nobody_gets_in_while_attempts_cannot_be_counted(acme: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    away = redis_library.Redis(port=1, socket_connect_timeout=0.1)
    monkeypatch.setattr(attempts, "control", lambda: away)
    response = try_in(stranger(acme.tenant), "amy@acme.example")
    assert response.status_code == 503
    assert b"Signing in is not possible at the moment." in response.content


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "address"),
    [
        (0, "192.0.2.9", "198.51.100.1", "192.0.2.9"),
        (1, "10.0.0.1", "203.0.113.5, 198.51.100.1", "198.51.100.1"),
        (2, "10.0.0.1", "203.0.113.5, 198.51.100.1", "203.0.113.5"),
        (2, "10.0.0.1", "198.51.100.1", "10.0.0.1"),
        (0, "2001:db8:1:2:3::4", "", "2001:db8:1:2::/64"),
        (1, "10.0.0.1", "nonsense", "unknown"),
    ],
)
def test_only_our_own_proxies_are_believed(settings, proxies: int, peer: str, forwarded: str, address: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded)
    assert client_address(request) == address


def test_a_suspended_tenants_members_still_see_their_portal(initech: Player) -> None:
    client = stranger(initech.tenant)
    try_in(client, "ian@initech.example")
    page = client.get("/").content.decode()
    assert "This workspace is suspended." in page
    assert "unpaid" in page


@pytest.mark.parametrize(("proto", "status"), [("https", 302), ("http", 403)])
def test_a_page_behind_a_proxy_that_ends_tls_can_sign_in(acme: Player, settings, proto: str, status: int) -> None:
    """A browser names its https page as Origin, which must be the site's own; a plain page's is another site."""
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    host = host_of(acme.tenant)
    client = Client(enforce_csrf_checks=True)
    headers = {"HTTP_HOST": host, "HTTP_X_FORWARDED_PROTO": proto, "HTTP_ORIGIN": f"https://{host}"}
    client.get("/sign-in/", **headers)
    token = client.cookies["lumos_csrf"].value
    body = {"email": "amy@acme.example", "password": PASSWORD, "csrfmiddlewaretoken": token}
    assert client.post("/sign-in/", body, **headers).status_code == status


@pytest.mark.parametrize(("proxies", "header"), [("0", "None"), ("1", "('HTTP_X_FORWARDED_PROTO', 'https')")])
def test_only_our_own_proxies_are_believed_about_https(tmp_path, proxies: str, header: str) -> None:
    program = "from lumos_site.settings import control; print(control.SECURE_PROXY_SSL_HEADER)"
    environment = {**os.environ, "LUMOS_TRUSTED_PROXIES": proxies, "LUMOS_VAR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == header
