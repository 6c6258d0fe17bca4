"""What an identity provider costs who waits for it, and what the word of one is not good for."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client

from accounts import asking
from accounts.data import Place
from accounts.models import Identity, IdentityProvider
from accounts.openid import Claims
from accounts.selectors import identity_provider
from accounts.services.identities import account_of_identity
from accounts.services.providers import ProviderInput, remove_identity_provider, set_identity_provider
from audit.models import AuditEntry
from core.attempts import ASKINGS_PER_ADDRESS
from core.clock import utc_now
from core.http import SafeClient
from core.tenancy import platform_scope
from tenants.api import Editor, Role, change_settings
from tests.accounts.conftest import Person
from tests.accounts.openid_server import CLIENT, SECRET
from tests.accounts.provider import HERE, LOCAL, Provider, come_in, connect, stranger
from tests.cast import TESTER, Player
from tests.rest import Caller

DOCUMENT = "/.well-known/openid-configuration"


def age_the_memory(seconds: float) -> None:
    for name, kept in asking._kept.items():
        asking._kept[name] = replace(kept, at=kept.at - timedelta(seconds=seconds))


def only(acme: Player, *domains: str) -> None:
    change_settings(
        tenant_id=acme.tenant.id,
        values={"members.allowed_domains": list(domains)},
        editor=Editor.OWNER,
        acting=TESTER,
        now=utc_now(),
        reason="because",
    )


class TestWaiting:
    def test_what_it_published_is_asked_for_once_in_five_minutes(self, tied: Person, provider: Provider) -> None:
        before = provider.asked()
        for _ in range(3):
            come_in(provider, tied.again().client)
        asked = provider.asked() - before
        assert (asked[DOCUMENT], asked["/jwks_uri"], asked["/token_endpoint"]) == (0, 0, 3)
        age_the_memory(300)
        come_in(provider, tied.again().client)
        asked = provider.asked() - before
        assert (asked[DOCUMENT], asked["/jwks_uri"], asked["/token_endpoint"]) == (1, 1, 4)

    def test_one_tenants_memory_is_no_other_tenants(self, tied: Person, globex: Player, provider: Provider) -> None:
        connect(provider, globex.tenant)
        with platform_scope():
            remove_identity_provider(tenant_id=globex.tenant.id, acting=TESTER, now=utc_now())
        before = provider.asked()
        asking.document_of(globex.tenant.id, provider.issuer, utc_now())
        assert (provider.asked() - before)[DOCUMENT] == 1

    def test_keys_that_the_provider_changed_are_known_after_a_minute(self, tied: Person, provider: Provider) -> None:
        provider.browser.post("/control", content=b'{"turn": "2"}')
        before = provider.asked()
        assert come_in(provider, tied.again().client).status_code == 401
        age_the_memory(60)
        assert come_in(provider, tied.again().client).status_code == 302
        assert (provider.asked() - before)["/jwks_uri"] == 1

    def test_tokens_that_name_keys_of_their_own_make_nobody_ask_each_time(
        self, tied: Person, provider: Provider
    ) -> None:
        provider.browser.post("/control", content=b'{"forge": "own jwk"}')
        before = provider.asked()
        for _ in range(3):
            assert come_in(provider, tied.again().client).status_code == 401
        assert (provider.asked() - before)["/jwks_uri"] == 0

    def test_the_memory_is_bounded(self) -> None:
        asking._kept.clear()
        for number in range(asking.MOST + 10):
            asking._note(("tenant", str(number), "document"), {}, utc_now())
        assert len(asking._kept) == asking.MOST
        asking.forget("tenant")
        assert not asking._kept

    def test_few_wait_at_once_for_one_tenants_provider_and_no_other_tenant_with_them(
        self, tied: Person, globex: Player, provider: Provider
    ) -> None:
        connect(provider, globex.tenant)
        asking._kept.clear()
        acme = tied.again().client
        with ExitStack() as waiting, platform_scope():
            row = IdentityProvider.objects.exclude(pk=globex.tenant.id).get()
            for _ in range(asking.AT_ONE_TENANT):
                waiting.enter_context(asking._in_line(row.tenant_id, provider.http))
            refused = acme.get("/sign-in/openid/")
            assert (refused.status_code, b"Too many people wait" in refused.content) == (503, True)
            assert stranger(globex).get("/sign-in/openid/").status_code == 302
            for number in range(asking.AT_ONCE - asking.AT_ONE_TENANT):
                waiting.enter_context(asking._in_line(f"another {number}", provider.http))
            asking._kept.clear()
            assert stranger(globex).get("/sign-in/openid/").status_code == 503
        assert acme.get("/sign-in/openid/").status_code == 302
        assert not asking._waiting

    def test_attempts_are_counted_before_the_provider_is_asked(self, tied: Person, provider: Provider) -> None:
        client = tied.again().client
        assert come_in(provider, client).status_code == 302  # who comes in is not counted against the others
        for _ in range(ASKINGS_PER_ADDRESS):
            assert client.get("/sign-in/openid/").status_code == 302
        asking._kept.clear()
        before = provider.asked()
        assert client.get("/sign-in/openid/").status_code == 429
        assert client.get("/sign-in/openid/back/?state=x&code=y").status_code == 429
        assert provider.asked() == before
        assert client.get("/sign-in/openid/", REMOTE_ADDR="203.0.113.9").status_code == 302

    @pytest.mark.django_db(transaction=True)
    def test_who_waits_holds_no_connection_of_the_database(
        self, acme: Player, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held: list[bool] = []

        def look_up(host: str) -> list[object]:
            held.append(connection.connection is not None)
            return [LOCAL]

        connect(provider, acme.tenant, admits=True)
        asking._kept.clear()
        watched = SafeClient(HERE, resolver=look_up, tls=provider.http._tls)
        monkeypatch.setattr(asking, "_http", lambda: watched)
        assert come_in(provider, stranger(acme)).status_code == 302
        assert held == [False, False, False]


class TestWhoComesIn:
    def test_a_provider_takes_in_people_of_the_allowed_domains_only(self, acme: Player, provider: Provider) -> None:
        connect(provider, acme.tenant, admits=True)
        only(acme, "acme.example")
        refused = [
            {},
            {"email": "eve@evil.example"},
            {"email": "eve@acme.example.evil.example"},
            {"email": "eve@acme.example", "email_verified": False},
        ]
        for number, said in enumerate(refused):
            provider.says(sub=str(number), **said)
            assert come_in(provider, stranger(acme)).status_code == 401, said
        provider.says(sub="zoe", email="Zoe@Acme.example", email_verified=True)
        assert come_in(provider, stranger(acme))["Location"] == "/"
        assert Identity.objects.get().subject == "zoe"

    @pytest.mark.django_db(transaction=True)
    def test_two_first_sign_ins_at_once_are_one_account(self, acme: Player, provider: Provider) -> None:
        connect(provider, acme.tenant, admits=True)
        row, start, found = identity_provider(acme.tenant.id), threading.Barrier(2), []
        assert row is not None
        place = Place(acme.tenant.id, "acme.localhost")

        def sign_in() -> None:
            with platform_scope():
                start.wait()
                try:
                    found.append(account_of_identity(row=row, claims=Claims("zoe"), place=place, now=utc_now()).pk)
                finally:
                    connections.close_all()

        threads = [threading.Thread(target=sign_in) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(found) == 2
        assert len(set(found)) == 1
        assert User.objects.filter(username__startswith="openid-").count() == 1

    def test_the_providers_word_is_no_fresh_proof_of_who_has_a_password(self, tied: Person, provider: Provider) -> None:
        other = tied.again()
        come_in(provider, other.client)
        asked = other.client.get("/settings/security/app/")
        assert asked["Location"].startswith("/settings/security/confirm/")
        assert other.client.post("/settings/security/confirm/", {"secret": "wrong"}).status_code == 401

    def test_who_has_nothing_but_the_provider_can_add_a_factor(self, acme: Player, provider: Provider) -> None:
        connect(provider, acme.tenant, admits=True)
        provider.says(sub="zoe")
        client = stranger(acme)
        come_in(provider, client)
        assert client.get("/settings/security/app/").status_code == 200


class TestTheEnd:
    @pytest.fixture
    def through(self, tied: Person, provider: Provider) -> Client:
        """A browser that is signed in through the provider, beside the one with the password."""
        other = tied.again()
        come_in(provider, other.client)
        assert other.client.get("/keys/").status_code == 200
        return other.client

    def test_removing_the_provider_ends_what_it_opened(self, tied: Person, through: Client, acme: Player) -> None:
        bearer = opened(through)
        assert bearer.get("/auth/sessions").status_code == 200
        with platform_scope():
            remove_identity_provider(tenant_id=acme.tenant.id, acting=TESTER, now=utc_now())
        assert through.get("/keys/").status_code == 302
        assert bearer.get("/auth/sessions").status_code == 401
        assert tied.client.get("/keys/").status_code == 200
        assert AuditEntry.objects.get(action="identity_providers.remove").detail == {"identities": 1, "ended": 1}

    def test_another_issuer_ends_them_too_and_another_secret_does_not(
        self, tied: Person, through: Client, acme: Player, provider: Provider
    ) -> None:
        given = ProviderInput(provider.issuer, CLIENT, "another secret", False, Role.VIEWER)
        common = {"tenant_id": acme.tenant.id, "acting": TESTER, "http": provider.http}
        with platform_scope():
            set_identity_provider(given=given, now=utc_now(), **common)
            assert through.get("/keys/").status_code == 200
            provider.control({"issuer": f"{provider.issuer}/"})
            given = ProviderInput(f"{provider.issuer}/", CLIENT, SECRET, False, Role.VIEWER)
            set_identity_provider(given=given, now=utc_now(), **common)
        assert through.get("/keys/").status_code == 302
        assert tied.client.get("/keys/").status_code == 200

    def test_those_of_another_tenants_provider_stay(
        self, through: Client, acme: Player, globex: Player, provider: Provider
    ) -> None:
        connect(provider, globex.tenant)
        with platform_scope():
            remove_identity_provider(tenant_id=globex.tenant.id, acting=TESTER, now=utc_now())
        assert through.get("/keys/").status_code == 200
        assert UserSession.objects.get(data__provider=acme.tenant.id).user_id == acme.owner.pk


def opened(client: Client) -> Caller:
    """An API session of who is signed in in that browser."""
    answer = client.post("/api/v1/auth/tokens", {}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return Caller(answer.json()["access_token"], host="acme.localhost")
