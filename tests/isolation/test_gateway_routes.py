"""Every path of `/v1`, every method, and the sockets, with everybody's credentials but acme's: nothing runs as acme.

The second half of tests/tenancy_smoke_suite.py, for what stands in no URLconf: the gateway reads what was published
to Redis and asks no database, so acme is what Redis holds of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import websockets
from websockets.sync.client import connect

from core.clock import utc_now
from core.redis import control, key, namespace
from lumos_site.asgi import application
from proxy.api import mint_browser_token, republish_all
from proxy.endpoints import ENDPOINTS
from tests.isolation.estate import Estate
from tests.isolation.standing import standing  # noqa: F401 - a fixture
from tests.isolation.surfaces import METHODS, gateway_paths
from tests.proxy.serving import Served, serving_in_thread

ASK = {"model": "demo-chat", "messages": [{"role": "user", "content": "who am I?"}], "input": "who am I?"}
# What each may be told by status; 404 and 405 are about the address.
ELSE = {404, 405}
pytestmark = pytest.mark.django_db
EXPECTED = {
    "nobody": {401},
    "a made-up key": {401},
    "a suspended tenant": {403},
    "an archived tenant": {401, 403},
    "globex": {200, 400},
    "globex's page": {200, 400},
}


@pytest.fixture
def on(standing: Estate) -> Estate:  # noqa: F811
    republish_all(utc_now())
    return standing


@pytest.fixture
def served(on: Estate) -> Iterator[Served]:
    with serving_in_thread(application) as running:
        yield running


def credentials(on: Estate) -> dict[str, str]:
    return {
        "nobody": "",
        "a made-up key": on.acme.plaintext[:-1] + ("A" if on.acme.plaintext[-1] != "A" else "B"),
        "a suspended tenant": on.initech.plaintext,
        "an archived tenant": on.umbrella.plaintext,
        "globex": on.globex.plaintext,
        "globex's page": mint_browser_token(on.globex.tenant.id, on.globex.owner.pk, utc_now()),
    }


def held_of(on: Estate) -> dict[bytes, bytes]:
    """Everything in Redis whose name bears acme's id or the digest of its key."""
    names = list(control().scan_iter(f"{namespace()}:*", count=1000))
    mine = [name for name in names if on.acme.tenant.id.encode() in name or on.acme.key.digest.encode() in name]
    return {name: control().dump(name) for name in sorted(mine)}


def tenants_charged() -> set[str]:
    entries: Any = control().xrange(key("usage"))
    return {json.loads(fields[b"e"])["tenant_id"] for _, fields in entries}


def test_the_paths_are_all_that_the_gateway_has() -> None:
    assert len(list(gateway_paths())) == len(ENDPOINTS) + 1


@pytest.mark.parametrize("who", list(EXPECTED))
def test_every_path_and_method_of_the_gateway_refuses_or_serves_as_the_caller(
    on: Estate, served: Served, who: str
) -> None:
    credential, before, wrong = credentials(on)[who], held_of(on), []
    assert before, "acme is published"
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    headers |= {"host": "acme.localhost", "x-tenant": on.acme.tenant.id, "openai-organization": on.acme.tenant.slug}
    with httpx.Client(base_url=served.url, timeout=30) as client:
        for path in gateway_paths():
            for method in METHODS:
                body = None if method in ("GET", "HEAD", "OPTIONS") else {**ASK, "user": on.acme.tenant.id}
                answer = client.request(method, path, json=body, headers=headers)
                if answer.status_code not in EXPECTED[who] | ELSE:
                    wrong.append(f"{method} {path} → {answer.status_code} {answer.text[:200]}")
                if on.acme.tenant.id in answer.text or on.acme.key.digest in answer.text:
                    wrong.append(f"{method} {path} names acme")
    assert not wrong, "\n".join(wrong)
    assert tenants_charged() <= {on.globex.tenant.id}
    assert held_of(on) == before


@pytest.mark.parametrize("who", list(EXPECTED))
def test_every_socket_refuses_or_serves_as_the_caller(on: Estate, served: Served, who: str) -> None:
    credential, before = credentials(on)[who], held_of(on)
    headers = {"Authorization": f"Bearer {credential}", "X-Tenant": on.acme.tenant.id} if credential else {}
    for path in ("/ws/chat/", "/ws/", "/ws/chat/acme/"):
        address = f"ws://127.0.0.1:{served.port}{path}"
        if who.startswith("globex") and path == "/ws/chat/":
            with connect(address, additional_headers=headers) as socket:
                socket.send(json.dumps({"type": "chat", "id": "a", "request": {**ASK, "user": on.acme.tenant.id}}))
                assert json.loads(socket.recv(20))["type"] in ("answer", "error")
            continue
        with pytest.raises(websockets.InvalidStatus) as refused, connect(address, additional_headers=headers):
            pass
        assert refused.value.response.status_code in EXPECTED[who] | {403}
    assert tenants_charged() <= {on.globex.tenant.id}
    assert held_of(on) == before
