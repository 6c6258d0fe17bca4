"""Signing in through a tenant's identity provider, against a real one; and what other people's providers cannot do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from accounts.errors import ProviderFailed
from accounts.models import Identity, IdentityProvider
from accounts.openid import discover
from accounts.services.providers import ProviderInput, remove_identity_provider, set_identity_provider
from accounts.upkeep import forget_tenant
from audit.models import AuditEntry, OutboxEvent
from core.clock import utc_now
from core.errors import InvalidInput
from core.http import Answer, SafeClient, UrlRefused
from tenants.api import Membership, Role
from tests.accounts.conftest import Person, member_in_a_browser
from tests.accounts.openid_server import CLIENT, SECRET
from tests.accounts.provider import Provider, come_in, connect, stranger, tie
from tests.audit.reading import the_entry
from tests.cast import TESTER, Player
from tests.rest import path_of


@dataclass
class Says:
    """A provider that gives one answer to everything."""

    content: bytes

    def get(self, url: str) -> Answer:
        return Answer(200, {}, self.content)


@pytest.mark.parametrize("alg", ["RS256", "EdDSA"])
def test_who_tied_their_identity_comes_in_without_a_password(tied: Person, provider: Provider, alg: str) -> None:
    provider.says(alg=alg)
    other = tied.again()
    assert come_in(provider, other.client, "/sign-in/openid/?next=/keys/")["Location"] == "/keys/"
    assert other.client.get("/").status_code == 200
    assert AuditEntry.objects.filter(action="sessions.sign_in").latest("at").detail["by"] == "openid"
    assert Identity.objects.get().subject == "amy-at-idp"


@pytest.mark.django_db
def test_what_is_entered_and_removed_is_told_to_the_tenants_endpoints_without_its_secret(
    acme: Player, provider: Provider, django_capture_on_commit_callbacks: Any
) -> None:
    connect(provider, acme.tenant)
    remove_identity_provider(tenant_id=acme.tenant.id, acting=TESTER, now=utc_now())
    told = [event.payload for event in OutboxEvent.objects.filter(type_name="tenants.announced").order_by("pk")][-2:]
    assert [each["name"] for each in told] == ["identity_provider.changed", "identity_provider.removed"]
    assert told[0]["data"]["issuer"] == provider.issuer
    assert SECRET not in str(told)


def test_a_factor_of_the_account_is_still_asked_for(tied: Person, provider: Provider) -> None:
    tied.enrol()
    other = tied.again()
    assert come_in(provider, other.client)["Location"] == "/sign-in/code/"
    assert other.client.get("/").status_code == 302
    assert other.second_step().status_code == 302
    assert AuditEntry.objects.filter(action="sessions.sign_in").latest("at").detail["by"] == "openid, totp"


def test_who_is_not_known_is_let_in_only_where_the_tenant_wants_it(acme: Player, provider: Provider) -> None:
    connect(provider, acme.tenant)
    provider.says(sub="zoe")
    client = stranger(acme)
    assert come_in(provider, client).status_code == 401
    assert User.objects.count() == 1
    connect(provider, acme.tenant, admits=True)
    assert come_in(provider, client)["Location"] == "/"
    member = Membership.objects.get(user__username__startswith="openid-")
    assert (member.tenant_id, member.role, member.user.email) == (acme.tenant.id, Role.DEVELOPER, "")
    assert not member.user.has_usable_password()
    assert come_in(provider, stranger(acme))["Location"] == "/"
    assert Identity.objects.count() == 1


def test_an_address_that_a_provider_asserts_opens_nobodys_account(
    acme: Player, globex: Player, provider: Provider
) -> None:
    """globex runs its own provider, which says that somebody is amy@acme.example, verified."""
    connect(provider, globex.tenant, admits=True)
    provider.says(sub="x", email=acme.owner.email, email_verified=True, preferred_username=acme.owner.username)
    client = stranger(globex)
    assert come_in(provider, client)["Location"] == "/"
    made = Identity.objects.get().user
    assert made.pk != acme.owner.pk
    assert (made.email, made.username == acme.owner.username) == ("", False)
    assert client.get("/", SERVER_NAME="acme.localhost").status_code == 302


def test_the_same_issuer_and_subject_at_another_tenant_is_somebody_else(
    tied: Person, globex: Player, provider: Provider
) -> None:
    connect(provider, globex.tenant)
    assert come_in(provider, stranger(globex)).status_code == 401
    connect(provider, globex.tenant, admits=True)
    come_in(provider, stranger(globex))
    assert Identity.objects.values("user").distinct().count() == 2


@pytest.mark.parametrize("forge", ["none", "hs256", "foreign key", "own jwk", "no signature", "bottomless"])
def test_a_token_that_the_providers_keys_did_not_sign_is_refused(tied: Person, provider: Provider, forge: str) -> None:
    provider.says(forge=forge)
    other = tied.again()
    assert come_in(provider, other.client).status_code == 401
    assert other.client.get("/").status_code == 302


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another-client"},
        {"aud": [CLIENT, "another-client"]},
        {"azp": "another-client"},
        {"iss": "https://other.example"},
        {"nonce": "another"},
        {"nonce": ""},
        {"exp": 1},
        {"exp": None},
        {"iat": 99999999999},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 256},
        {"sub": "a\x00b"},
        {"sub": "\ud800"},
        {"nonce": "\ud800"},
        {"exp": float("inf")},
    ],
    ids=ascii,
)
def test_a_token_for_another_purpose_is_refused(tied: Person, provider: Provider, claims: dict[str, Any]) -> None:
    provider.says(**claims)
    assert come_in(provider, tied.again().client).status_code == 401


def test_a_state_is_answered_once_and_only_in_its_browser(tied: Person, provider: Provider) -> None:
    other = tied.again()
    asked = other.client.get("/sign-in/openid/")["Location"]
    first, second = provider.agree(asked), provider.agree(asked)
    assert tied.again().client.get(first).status_code == 401
    assert other.client.get(first).status_code == 302
    other.client.post("/sign-out/")
    assert other.client.get(second).status_code == 401
    assert other.client.get("/sign-in/openid/back/?state=&code=x").status_code == 401


def test_the_answer_of_another_issuer_is_refused(tied: Person, provider: Provider) -> None:
    other = tied.again()
    back = provider.agree(other.client.get("/sign-in/openid/")["Location"])
    mixed = back.partition("&iss=")[0] + "&iss=https%3A%2F%2Fother.example"
    assert other.client.get(mixed).status_code == 401


def test_a_link_on_another_site_ties_no_identity(acme: Player, amy: Person, provider: Provider) -> None:
    """Whoever runs the provider would come in as everybody who opened the link."""
    connect(provider, acme.tenant)
    shown = Client(SERVER_NAME="acme.localhost", enforce_csrf_checks=True)
    shown.force_login(acme.owner)
    assert shown.get("/settings/security/openid/").status_code == 405
    assert shown.post("/settings/security/openid/").status_code == 403
    form = shown.get("/settings/security/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
    assert token
    assert 'action="/settings/security/openid/"' in form
    given = {"csrfmiddlewaretoken": token[1]}
    assert provider.issuer in shown.post("/settings/security/openid/", given).content.decode()


def test_a_session_that_one_workspaces_provider_opened_opens_no_other(
    tied: Person, acme: Player, globex: Player, provider: Provider
) -> None:
    """Amy is in both, and acme's admins run acme's provider: they can be her at acme, and nowhere else."""
    Membership.objects.create(user=acme.owner, tenant=globex.tenant, role=Role.OWNER)
    browser = tied.again().client
    come_in(provider, browser)
    assert browser.get("/members/").status_code == 200
    assert browser.get(f"/api/v1{path_of(acme.tenant, '/keys')}").status_code == 200
    there = {"SERVER_NAME": "globex.localhost"}
    assert browser.get("/members/", **there)["Location"] == "/sign-in/?next=%2Fmembers%2F"
    assert browser.get("/sign-in/", **there).status_code == 200
    assert browser.get(f"/api/v1{path_of(globex.tenant, '/keys')}", **there).status_code == 401


@pytest.mark.parametrize(
    "address", ["https://[", "https://a\r\nX: y", "https://\ud800", "https://x:99999999/", "https://"]
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_a_provider_that_names_an_address_which_is_none_is_refused(
    tied: Person, provider: Provider, name: str, address: str
) -> None:
    provider.control({"document": {name: address}})
    assert tied.again().client.get("/sign-in/openid/").status_code == 503


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"[1" + b"0" * 5000 + b"]"])
def test_an_answer_of_a_provider_that_cannot_be_read_is_its_failure(content: bytes) -> None:
    with pytest.raises(ProviderFailed):
        discover(cast("SafeClient", Says(content)), "https://login.example")


def test_what_a_provider_says_of_somebody_is_kept_as_text(acme: Player, provider: Provider) -> None:
    connect(provider, acme.tenant, admits=True)
    provider.says(sub="zoe", email="z\ud800\x00oe", name="Z\x00o\ud800")
    assert come_in(provider, stranger(acme))["Location"] == "/"
    kept = Identity.objects.get()
    assert (kept.said_email, kept.user.first_name) == ("z?oe", "Zo?")


def test_who_is_no_member_any_more_does_not_come_in(tied: Person, provider: Provider, acme: Player) -> None:
    Membership.objects.filter(user=acme.owner).delete()
    assert come_in(provider, tied.again().client).status_code == 401


def test_an_identity_is_tied_to_one_account_only(tied: Person, provider: Provider, acme: Player) -> None:
    account = User.objects.create_user("bob", "bob@acme.example")
    Membership.objects.create(user=account, tenant=acme.tenant, role=Role.VIEWER)
    bob = stranger(acme)
    bob.force_login(account)
    answer = tie(provider, bob)
    assert (answer.status_code, b"belongs to another account" in answer.content) == (409, True)


def test_the_secret_is_sealed_under_the_tenants_own_key(acme: Player, provider: Provider) -> None:
    connect(provider, acme.tenant)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(p)::text FROM accounts_identityprovider p")
        assert SECRET not in cursor.fetchone()[0]
    entry = AuditEntry.objects.get(action="identity_providers.set")
    assert SECRET not in str([entry.detail, the_entry(action="identity_providers.set").detail])


def test_an_address_inside_is_refused_in_the_form(acme: Player, amy: Person) -> None:
    amy.password()
    shown = amy.client.get("/settings/identity-provider/").content.decode()
    assert "http://acme.localhost/sign-in/openid/back/" in shown
    for issuer in ("https://127.0.0.1/", "https://169.254.169.254/", "http://login.example/", "https://localhost/"):
        given = {"issuer": issuer, "client_id": "x", "secret": "y", "role": "VIEWER"}
        assert amy.client.post("/settings/identity-provider/", given).status_code == 400, issuer
    assert not IdentityProvider.objects.exists()


def test_a_provider_that_calls_itself_otherwise_is_refused(acme: Player, provider: Provider) -> None:
    provider.control({"issuer": "https://other.example"})
    with pytest.raises(ProviderFailed, match="another issuer"):
        connect(provider, acme.tenant)


def test_owners_are_not_made_by_a_provider_and_another_issuer_needs_its_secret(
    acme: Player, provider: Provider
) -> None:
    with pytest.raises(InvalidInput):
        connect(provider, acme.tenant, role=Role.OWNER)
    given = ProviderInput(provider.issuer, CLIENT, "", False, Role.VIEWER)
    with pytest.raises(InvalidInput, match="secret"):
        set_identity_provider(tenant_id=acme.tenant.id, given=given, acting=TESTER, now=utc_now(), http=provider.http)
    with pytest.raises(UrlRefused):
        inside = ProviderInput("https://127.0.0.1/", CLIENT, SECRET, False, Role.VIEWER)
        set_identity_provider(tenant_id=acme.tenant.id, given=inside, acting=TESTER, now=utc_now())


@pytest.mark.parametrize("issuer", ["https://other.example", ""])
def test_a_second_step_ends_with_the_provider_that_was_the_first(
    tied: Person, provider: Provider, acme: Player, issuer: str
) -> None:
    """Also where another one stands in its place meanwhile; "" is a first step from before the issuer was noted."""
    tied.enrol()
    other = tied.again()
    assert come_in(provider, other.client)["Location"] == "/sign-in/code/"
    if issuer:
        IdentityProvider.objects.filter(pk=acme.tenant.id).update(issuer=issuer)
    else:
        session = other.client.session
        del session["waiting_sign_in"]["issuer"]
        session.save()
    other.second_step()
    assert other.client.get("/").status_code == 302
    assert "_auth_user_id" not in other.client.session


def test_the_upgrade_ends_the_sessions_that_do_not_say_whether_a_provider_opened_them(
    tied: Person, provider: Provider, globex: Player
) -> None:
    through, elsewhere = tied.again(), member_in_a_browser(globex)
    come_in(provider, through.client)
    elsewhere.password()
    with connection.cursor() as cursor:
        cursor.execute(import_module("accounts.migrations.0004_sessions_of_providers").END_UNMARKED)
    assert [each.client.get("/").status_code for each in (tied, through, elsewhere)] == [302, 200, 200]
    assert sorted(UserSession.objects.values_list("user__email", flat=True)) == [tied.name, elsewhere.name]


def test_removing_it_ends_the_ties_and_keeps_the_members(tied: Person, acme: Player) -> None:
    assert tied.client.post("/settings/identity-provider/", {"remove": "1"}).status_code == 302
    assert not Identity.objects.exists()
    assert Membership.objects.filter(user=acme.owner).exists()
    assert stranger(acme).get("/sign-in/openid/").status_code == 404
    assert member_in_a_browser(acme).password().status_code == 302


def test_a_tenant_that_is_gone_leaves_neither_provider_nor_identities(tied: Person, acme: Player) -> None:
    assert forget_tenant(acme.tenant.id, utc_now()) == "1 identity providers and 1 identities deleted"
    assert forget_tenant(acme.tenant.id, utc_now()) == "0 identity providers and 0 identities deleted"
