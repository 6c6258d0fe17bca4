"""A tenant's identity provider and a browser that signs in through it."""

from __future__ import annotations

import html
import ipaddress
import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx
from django.test import Client

from accounts import asking
from accounts.services.providers import ProviderInput, set_identity_provider
from core.clock import utc_now
from core.http import SafeClient, UrlPolicy, parse_private_networks
from tenants.api import Role, Tenant
from tests.accounts.openid_server import CLIENT, SECRET
from tests.cast import TESTER, Player

HERE = UrlPolicy(private=parse_private_networks(["127.0.0.1/32"]))
LOCAL = ipaddress.ip_address("127.0.0.1")


@dataclass
class Provider:
    issuer: str
    http: SafeClient
    browser: httpx.Client

    def says(self, forge: str = "", alg: str = "RS256", **claims: Any) -> None:
        mind = {"says": {"sub": "amy-at-idp", **claims}, "forge": forge, "alg": alg, "issuer": self.issuer, "turn": ""}
        self.control({**mind, "document": {}})

    def control(self, mind: dict[str, Any]) -> None:
        """What it says from now on, and nobody remembers what it said before."""
        asking._kept.clear()
        self.browser.post("/control", content=json.dumps(mind)).raise_for_status()

    def asked(self) -> Counter[str]:
        """How often each of its addresses was called since it was started."""
        return Counter(self.browser.get("/asked").json())

    def agree(self, address: str) -> str:
        """What the provider's page does with a browser: send it back, with a code. Path and query of the way back."""
        answer = self.browser.get(address.removeprefix(self.issuer))
        back = httpx.URL(answer.headers["Location"])
        return back.raw_path.decode()


def connect(provider: Provider, tenant: Tenant, *, admits: bool = False, role: Role = Role.DEVELOPER) -> None:
    given = ProviderInput(provider.issuer, CLIENT, SECRET, admits, role)
    set_identity_provider(tenant_id=tenant.id, given=given, acting=TESTER, now=utc_now(), http=provider.http)


def stranger(player: Player) -> Client:
    return Client(SERVER_NAME=f"{player.tenant.slug}.localhost")


def come_in(provider: Provider, client: Client, start: str = "/sign-in/openid/") -> Any:
    asked = client.get(start)
    assert asked.status_code == 302, asked.content
    return client.get(provider.agree(asked["Location"]))


def tie(provider: Provider, client: Client) -> Any:
    """As the page does it: a form, whose answer links to the provider."""
    shown = client.post("/settings/security/openid/")
    assert shown.status_code == 200, shown.content
    link = re.search(r'href="(https://[^"]+)"', shown.content.decode())
    assert link
    return client.get(provider.agree(html.unescape(link[1])))
