"""The chat socket over a real server: who may connect, several requests at once, stop, and being thrown out."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from websockets.asyncio.client import ClientConnection, connect

from core.clock import utc_now
from core.networks import networks_of
from proxy.consumers import ChatConsumer
from proxy.tokens import mint_browser_token
from tests.proxy.fakeserver import Call, chunk_of, fake_server
from tests.proxy.serving import Served, serving
from tests.proxy.world import World, model

ASK: dict[str, Any] = {"model": "demo-chat", "messages": [{"role": "user", "content": "hello"}], "stream": True}


@asynccontextmanager
async def socket_server(**settings: int) -> AsyncIterator[Served]:
    async with serving(ChatConsumer.as_asgi(), **settings) as served:
        yield served


def opened(served: Served, token: str | None, **options: Any) -> connect:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(f"ws://127.0.0.1:{served.port}/ws/chat/", additional_headers=headers, **options)


async def say(connection: ClientConnection, identifier: str, **changes: Any) -> None:
    await connection.send(json.dumps({"type": "chat", "id": identifier, "request": {**ASK, **changes}}))


async def hear(connection: ClientConnection, count: int = 1) -> dict[str, list[dict[str, Any]]]:
    """All frames by id, until so many requests are done."""
    heard: dict[str, list[dict[str, Any]]] = defaultdict(list)
    while count:
        frame = json.loads(await asyncio.wait_for(connection.recv(), 10))
        heard[frame["id"]].append(frame)
        count -= frame["type"] == "done"
    return heard


async def test_a_streamed_request_comes_as_the_chunks_of_an_event_stream(world: World) -> None:
    async with socket_server() as served, opened(served, world.token) as connection:
        await say(connection, "a")
        frames = (await hear(connection))["a"]
    chunks = [frame["chunk"] for frame in frames if frame["type"] == "chunk"]
    assert "simulated" in "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert frames[-1] == {"id": "a", "type": "done"}
    [event] = world.wait_for_events(1)
    assert event["status"] == "ok"


async def test_a_request_that_is_not_streamed_comes_as_one_answer(world: World) -> None:
    async with socket_server() as served, opened(served, world.token) as connection:
        await say(connection, "a", stream=False)
        frames = (await hear(connection))["a"]
    assert [frame["type"] for frame in frames] == ["answer", "done"]
    assert frames[0]["answer"]["object"] == "chat.completion"


async def test_several_requests_share_one_connection_at_the_same_time(world: World) -> None:
    world.publish_catalogue(pace_ms=5)
    async with socket_server() as served, opened(served, world.token) as connection:
        for name in ("a", "b", "c"):
            await say(connection, name)
        order: list[str] = []
        done = 0
        while done < 3:
            frame = json.loads(await asyncio.wait_for(connection.recv(), 10))
            order.append(frame["id"])
            done += frame["type"] == "done"
    first_of_last = order.index("c")
    assert first_of_last < len(order) - 1 - order[::-1].index("a")
    assert len(world.wait_for_events(3)) == 3


async def test_stop_ends_one_request_and_books_what_was_seen(world: World) -> None:
    world.publish_catalogue(pace_ms=20)
    async with socket_server() as served, opened(served, world.token) as connection:
        await say(connection, "a")
        await connection.recv()
        await connection.send(json.dumps({"type": "stop", "id": "a"}))
        frames = (await hear(connection))["a"]
        assert [frame["type"] for frame in frames[-2:]] == ["stopped", "done"]
        await connection.send(json.dumps({"type": "stop", "id": "unknown"}))
        await say(connection, "b", model="demo-fast", stream=False)
        assert (await hear(connection))["b"]
    [first, _] = world.wait_for_events(2)
    assert first["status"] == "client_closed"
    assert first["estimated"] is True


async def test_leaving_closes_what_was_open(world: World) -> None:
    world.publish_catalogue(pace_ms=20)
    async with socket_server() as served:
        async with opened(served, world.token) as connection:
            await say(connection, "a")
            await connection.recv()
        [event] = world.wait_for_events(1)
        assert event["status"] == "client_closed"
        assert not served.gateway.watch.sockets


async def test_errors_before_and_inside_a_stream_carry_the_id_and_the_status(world: World) -> None:
    async with socket_server() as served, opened(served, world.token) as connection:
        await say(connection, "early", model="demo-429")
        early = (await hear(connection))["early"]
        await say(connection, "late", model="demo-cut")
        late = (await hear(connection))["late"]
    assert (early[0]["type"], early[0]["status"]) == ("error", 429)
    assert [frame["type"] for frame in late[-2:]] == ["error", "done"]
    assert (late[-2]["status"], late[-2]["error"]["code"]) == (502, "provider_connection_lost")


async def test_an_error_in_mid_stream_has_the_status_that_it_would_have_had_before(world: World) -> None:
    async def act(call: Call) -> None:
        await call.begin_stream()
        for word in ("some", "words"):
            await call.event(chunk_of(word))
        await asyncio.sleep(0.2)
        if call.json["model"] == "limited":
            await call.event({"error": {"message": "slow down", "code": "rate_limit_exceeded"}})
        await asyncio.sleep(30)

    async with fake_server(act) as upstream:
        world.publish_catalogue(model("limited", "real"), model("silent", "real"), upstream=upstream.base_url)
        async with socket_server(idle_ms=500) as served, opened(served, world.token) as connection:
            await say(connection, "a", model="limited")
            await say(connection, "b", model="silent")
            heard = await hear(connection, 2)
    told = {name: (frames[-2]["status"], frames[-2]["error"]["code"]) for name, frames in heard.items()}
    assert told == {"a": (429, "rate_limit_exceeded"), "b": (504, "provider_timeout")}


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"type":"shout","id":"a"}',
        '{"type":"chat","id":"a"}',
        '{"type":"stop"}',
        '{"type":"chat","id":"","request":{}}',
    ],
)
async def test_what_is_no_message_is_refused_and_the_connection_stays(world: World, text: str) -> None:
    async with socket_server() as served, opened(served, world.token) as connection:
        await connection.send(text)
        frame = json.loads(await connection.recv())
        assert (frame["type"], frame["status"]) == ("error", 400)
        await connection.recv()
        await say(connection, "b", model="demo-fast", stream=False)
        assert (await hear(connection))["b"][0]["type"] == "answer"


async def test_an_id_serves_one_request_at_a_time_and_a_connection_only_so_many(world: World) -> None:
    world.publish_catalogue(pace_ms=20)
    async with socket_server(socket_streams=2) as served, opened(served, world.token) as connection:
        for name in ("a", "b", "a", "c"):
            await say(connection, name)
        heard = await hear(connection, 4)
    assert any(frame.get("error", {}).get("param") == "id" for frame in heard["a"])
    assert heard["c"][0]["error"]["code"] == "too_many_streams"


async def test_a_message_that_is_too_large_ends_the_connection(world: World) -> None:
    async with socket_server(socket_message_limit=1000) as served, opened(served, world.token) as connection:
        await connection.send("x" * 2000)
        with pytest.raises(websockets.ConnectionClosed):
            await connection.recv()
        assert connection.close_code == 1009


async def refusal(served: Served, token: str | None, **options: Any) -> int:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with opened(served, token, **options):
            pass
    error = json.loads(refused.value.response.body)["error"]
    assert error["message"]
    return refused.value.response.status_code


async def test_who_may_not_connect_gets_an_http_status(world: World) -> None:
    async with socket_server() as served:
        assert await refusal(served, None) == 401
        assert await refusal(served, "lum_live_nonsense") == 401
        assert await refusal(served, world.token, origin="https://evil.example") == 403
        world.publish_tenant(status="SUSPENDED")
        await asyncio.sleep(0.2)
        assert await refusal(served, world.token) == 403


async def test_a_page_of_this_host_connects_with_a_browser_token(world: World) -> None:
    token = mint_browser_token(world.tenant_id, 7, utc_now())
    async with socket_server() as served:
        options: dict[str, Any] = {
            "subprotocols": ["lumos.chat", f"lumos.token.{token}"],
            "origin": f"http://127.0.0.1:{served.port}",
        }
        async with opened(served, None, **options) as connection:
            assert connection.subprotocol == "lumos.chat"
            await say(connection, "a", model="demo-fast", stream=False)
            assert (await hear(connection))["a"][0]["type"] == "answer"
    [event] = world.wait_for_events(1)
    assert event["key_id"] == "browser_7"


async def test_a_revoked_key_loses_its_streams_and_its_connection(world: World) -> None:
    world.publish_catalogue(pace_ms=50)
    async with socket_server() as served, opened(served, world.token) as connection:
        await say(connection, "a")
        await connection.recv()
        world.revoke()
        frames = []
        with pytest.raises(websockets.ConnectionClosed):
            while True:
                frames.append(json.loads(await asyncio.wait_for(connection.recv(), 5)))
        assert connection.close_code == 1008
    assert (frames[-2]["status"], frames[-2]["error"]["code"]) == (403, "access_withdrawn")
    [event] = world.wait_for_events(1)
    assert event["status"] == "stream_error"


async def test_an_idle_connection_of_a_suspended_tenant_is_closed(world: World) -> None:
    async with socket_server() as served, opened(served, world.token) as connection:
        world.publish_tenant(status="SUSPENDED")
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(connection.recv(), 5)
        assert connection.close_code == 1008


async def test_a_draining_server_says_that_it_restarts(world: World) -> None:
    async with socket_server(drain_seconds=1) as served, opened(served, world.token) as connection:
        await served.gateway.drain()
        with pytest.raises(websockets.ConnectionClosed):
            await asyncio.wait_for(connection.recv(), 5)
        assert connection.close_code == 1012


async def test_a_connection_is_refused_from_outside_and_closed_when_its_address_becomes_that(world: World) -> None:
    outside = networks_of(("203.0.113.0/24",))
    async with socket_server() as served:
        async with opened(served, world.token) as connection:
            world.publish_tenant(networks=outside)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(connection.recv(), 5)
            assert connection.close_code == 1008
        with pytest.raises(websockets.InvalidStatus) as refused:
            async with opened(served, world.token):
                pass
        assert refused.value.response.status_code == 403
        page = mint_browser_token(world.tenant_id, 7, utc_now())
        offered = ["lumos.chat", f"lumos.token.{page}"]
        async with opened(served, None, subprotocols=offered) as connection:
            world.publish_tenant(portal_networks=outside)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(connection.recv(), 5)
