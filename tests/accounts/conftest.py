"""Browsers on both sites, and people who have enrolled by the pages, as everybody does."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from django.test import Client

from accounts import asking
from core.conf import ROOT
from core.http import SafeClient
from core.proof import FRESH_FOR
from tests import cast
from tests.accounts.openid_server import HOST
from tests.accounts.provider import HERE, LOCAL, Provider, connect, tie
from tests.cast import PASSWORD
from tests.codes import app_code, codes_shown, key_shown


@pytest.fixture(autouse=True)
def _fresh_redis(redis: Any) -> None:
    """Counters of attempts and codes that were used must not reach from one test into the next."""


@dataclass
class Person:
    """Somebody with a browser. `key` is what their authenticator app knows, `codes` their recovery codes."""

    client: Client
    name: str
    entrance: str
    security: str
    key: str = ""
    codes: list[str] = field(default_factory=list)
    used: int = -1

    def password(self, password: str = PASSWORD, **more: str) -> Any:
        field = "username" if "admin" in self.entrance else "email"
        return self.client.post(self.entrance, {field: self.name, "password": password, **more})

    def code(self) -> str:
        """One that was not used yet: each works once, and the clock may be half a minute off."""
        self.used += 1
        return app_code(self.key, steps=(0, 1, -1)[self.used])

    def second_step(self, code: str = "") -> Any:
        address = self.entrance.replace("login", "sign-in") + "code/"
        return self.client.post(address, {"code": code or self.code()})

    def enrol(self) -> Any:
        """Add an app by the page; the key and the codes are read from it."""
        self.key = key_shown(self.client.get(f"{self.security}app/").content.decode())
        answer = self.client.post(f"{self.security}app/", {"code": self.code()})
        if answer.status_code == 200 and b'id="codes"' in answer.content:
            self.codes = codes_shown(answer.content.decode())
        return answer

    def again(self, **headers: str) -> Person:
        """The same person in another browser."""
        other = Client(SERVER_NAME=self.client.defaults["SERVER_NAME"], **headers)
        return Person(other, self.name, self.entrance, self.security, self.key, self.codes, self.used)


def operator_in_a_browser(name: str = "olivia") -> Person:
    return Person(Client(SERVER_NAME="localhost"), name, "/admin/login/", "/admin/security/")


def member_in_a_browser(player: cast.Player) -> Person:
    client = Client(SERVER_NAME=f"{player.tenant.slug}.localhost")
    return Person(client, player.owner.username, "/sign-in/", "/settings/security/")


def age_the_proof(person: Person) -> None:
    session = person.client.session
    session["proof"]["at"] -= FRESH_FOR.total_seconds()
    session.save()


@pytest.fixture(params=["operator", "member"])
def person(request: pytest.FixtureRequest, db: None) -> Person:
    """Olivia on the operators' site, and Amy on acme's portal: signed in by password, without a factor."""
    if request.param == "operator":
        request.getfixturevalue("olivia")
        found = operator_in_a_browser()
    else:
        found = member_in_a_browser(request.getfixturevalue("acme"))
    assert found.password().status_code == 302
    return found


@pytest.fixture
def enrolled(person: Person) -> Person:
    assert person.enrol().status_code == 200
    return person


@pytest.fixture
def amy(acme: cast.Player) -> Person:
    return member_in_a_browser(acme)


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    pem = tmp_path_factory.mktemp("openid") / "certificate.pem"
    command = [sys.executable, "-m", "tests.accounts.openid_server", str(pem)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        trusting = ssl.create_default_context(cafile=str(pem))
        http = SafeClient(HERE, resolver=lambda host: [LOCAL], tls=trusting)
        with httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=trusting) as browser:
            yield Provider(f"https://{HOST}:{port}", http, browser)
    finally:
        server.terminate()
        server.communicate()


@pytest.fixture
def provider(process: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    """The network's edge only: the test's name server and certificate."""
    monkeypatch.setattr(asking, "_http", lambda: process.http)
    process.says()
    return process


@pytest.fixture
def tied(acme: cast.Player, amy: Person, provider: Provider) -> Person:
    """Amy, who tied her identity to her account."""
    connect(provider, acme.tenant)
    amy.password()
    assert tie(provider, amy.client)["Location"] == "/settings/security/"
    return amy
