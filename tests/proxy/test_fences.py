"""What mallory cannot reach through the gateway's records, the catalogue's tables, or a socket beside acme's."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from datetime import timedelta
from typing import Any

import httpx
from django.db import ProgrammingError, connection, transaction
from websockets.asyncio.client import connect

from core.clock import utc_now
from core.ids import new_ulid
from core.redis import key
from core.tenancy import run_in_tenant
from proxy.api import (
    add_model,
    add_provider,
    publish_key,
    publish_tenant,
    republish_all,
    set_provider_key,
    usable_models,
)
from proxy.consumers import ChatConsumer
from proxy.records import KeyRecord, TenantRecord, key_name, tenant_name
from tenants.api import create_api_key
from tenants.keyformat import new_key
from tests.cast import TESTER, Player
from tests.proxy.fakeserver import Call, completion, fake_server, usage_of
from tests.proxy.serving import serving
from tests.proxy.world import World, digest_of, limits_of, make_world, model, sheet


def test_republishing_withdraws_a_record_that_somebody_smuggled_in(redis: Any, acme: Player, globex: Player) -> None:
    """Mallory wrote a record that makes a key of hers one of acme's."""
    forged = KeyRecord("k", acme.tenant.id, "f" * 64, True, ("inference",), (), None)
    taken = KeyRecord(globex.key.id, acme.tenant.id, globex.key.digest, True, ("inference",), (), None)
    for record in (forged, taken):
        redis.set(key_name(record.digest), record.to_json())
    assert republish_all(utc_now()) == 2
    assert not redis.exists(key_name(forged.digest))
    assert KeyRecord.from_json(redis.get(key_name(globex.key.digest))).tenant_id == globex.tenant.id


def test_the_plaintext_of_a_key_is_nowhere_in_what_is_published(redis: Any, acme: Player) -> None:
    republish_all(utc_now())
    names = [name for name in redis.keys(key("gw", "*")) if redis.type(name) == b"string"]
    held = b"".join(name + redis.get(name) for name in names)
    assert acme.key.digest.encode() in held
    assert acme.plaintext.encode() not in held


def test_an_expired_key_is_withdrawn(redis: Any, acme: Player) -> None:
    now = utc_now()
    ends = now + timedelta(hours=1)
    short, _ = create_api_key(tenant_id=acme.tenant.id, name="short", acting=TESTER, now=now, expires_at=ends)
    publish_key(short.id, now)
    assert redis.exists(key_name(short.digest))
    publish_key(short.id, ends)
    assert not redis.exists(key_name(short.digest))


def test_a_tenant_without_a_plan_is_published_without_prices(redis: Any, acme: Player) -> None:
    publish_tenant(acme.tenant.id, utc_now())
    assert TenantRecord.from_json(redis.get(tenant_name(acme.tenant.id))).prices is None


def attempt(sql: str) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    except ProgrammingError:
        return "refused"
    return "done"


def test_a_tenants_role_reads_models_and_never_where_or_how(redis: Any, acme: Player) -> None:
    now = utc_now()
    add_provider(name="cloud", kind="openai", base_url="https://models.example/v1", acting=TESTER, now=now)
    set_provider_key(provider="cloud", plaintext="upstream-credential-abcd", acting=TESTER, now=now)
    add_model(name="big", provider="cloud", acting=TESTER, now=now)
    forbidden = (
        "SELECT base_url FROM proxy_provider",
        "SELECT sealed FROM proxy_providerkey",
        "UPDATE proxy_model SET enabled = false",
        "DELETE FROM proxy_provider",
        "INSERT INTO proxy_model (name) VALUES ('mine')",
    )

    def as_acme() -> list[str]:
        assert [entry.name for entry in usable_models()] == ["big"]
        return [attempt(sql) for sql in forbidden]

    assert run_in_tenant(acme.tenant.ref, as_acme) == ["refused"] * len(forbidden)
    assert attempt(forbidden[0]) == attempt(forbidden[1]) == "done", "the platform may, so the fence refused"


def neighbour_of(world: World) -> World:
    """A second tenant beside the first."""
    token = new_key("live")
    other = World(world.redis, new_ulid(), token, digest_of(token))
    record = TenantRecord(other.tenant_id, "globex", "ACTIVE", limits_of(other.tenant_id), sheet())
    world.redis.set(tenant_name(other.tenant_id), record.to_json())
    other.publish_key()
    return other


async def talk(served_port: int, world: World, word: str) -> dict[str, str]:
    """Three streamed chats at once over one socket; the text that came for each."""
    headers = {"Authorization": f"Bearer {world.token}"}
    texts: dict[str, str] = defaultdict(str)
    done = 0
    async with connect(f"ws://127.0.0.1:{served_port}/ws/chat/", additional_headers=headers) as socket:
        for number in range(3):
            messages = [{"role": "user", "content": f"{word}-{number}"}]
            request = {"model": "demo-chat", "messages": messages, "stream": True}
            await socket.send(json.dumps({"type": "chat", "id": str(number), "request": request}))
        while done < 3:
            frame = json.loads(await asyncio.wait_for(socket.recv(), 10))
            done += frame["type"] == "done"
            for choice in frame.get("chunk", {}).get("choices", ()):
                texts[frame["id"]] += choice["delta"].get("content", "")
    return texts


async def test_sockets_of_two_tenants_interleaved_hear_only_their_own(world: World) -> None:
    other = neighbour_of(world)
    async with serving(ChatConsumer.as_asgi()) as served:
        mine, theirs = await asyncio.gather(talk(served.port, world, "acme"), talk(served.port, other, "mallory"))
    for word, foreign, texts in (("acme", "mallory", mine), ("mallory", "acme", theirs)):
        assert all(f"{word}-{name}" in text and foreign not in text for name, text in texts.items())
    owners = [event["tenant_id"] for event in world.wait_for_events(6)]
    assert sorted(owners) == sorted([world.tenant_id] * 3 + [other.tenant_id] * 3)


async def test_a_neighbours_revoked_key_cuts_no_stream_of_mine(world: World) -> None:
    other = neighbour_of(world)
    world.publish_catalogue(pace_ms=20)
    async with serving(ChatConsumer.as_asgi()) as served:
        talking = asyncio.create_task(talk(served.port, world, "acme"))
        await asyncio.sleep(0.3)
        other.revoke()
        assert len(await talking) == 3


async def test_neither_headers_nor_credentials_cross_the_gateway(redis: Any) -> None:
    async def act(call: Call) -> None:
        secrets = {"set_cookie": "s=1", "openai_organization": "the-operators", "x_request_id": "theirs"}
        await call.answer_json(completion("hello", usage_of(7, 2)), **secrets)

    async with fake_server(act) as upstream:
        world = make_world(upstream.base_url, model("big", "real"))
        headers = {"authorization": f"Bearer {world.token}", "cookie": "c=1", "x-secret": "mine"}
        body = {"model": "big", "messages": [{"role": "user", "content": "hello"}]}
        async with serving() as served, httpx.AsyncClient() as client:
            answer = await client.post(f"{served.url}/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200
    assert not {"set-cookie", "openai-organization"} & set(answer.headers)
    assert answer.headers["x-request-id"].startswith("req_")
    [call] = upstream.calls
    assert call.headers["authorization"] == "Bearer sk-upstream-secret"
    assert world.token not in json.dumps(call.headers)
    assert not {"cookie", "x-secret", "x-forwarded-for"} & set(call.headers)
