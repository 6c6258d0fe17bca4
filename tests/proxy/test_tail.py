"""The listener for changes: however Redis goes and comes, the gateway is ready again and has missed nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.errors import Unavailable
from core.redis import key, redis_url
from proxy.gateway import Gateway
from proxy.records import changes_name
from proxy.tail import Tail
from tests.proxy.serving import TEST_SETTINGS, serving
from tests.proxy.world import World, make_world
from tests.valkey import Server, own_server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with own_server(tmp_path, durable=True) as server:
        server.start()
        yield server


async def until(condition: Any, seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return bool(condition())


async def test_readyz_comes_back_each_time_redis_was_killed_and_restarted(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.proxy.world.control", server.client)
    world = make_world()
    gateway = Gateway(TEST_SETTINGS, server.url)
    await gateway.start()
    try:
        for _ in range(4):
            assert await until(lambda: gateway.ready)
            server.kill()
            assert await until(lambda: not gateway.ready)
            server.start()
        assert await until(lambda: gateway.ready)
        assert (await gateway.directory.key(world.token)).tenant_id == world.tenant_id
        world.revoke()
        assert await until(lambda: not gateway.directory._keys)
    finally:
        await gateway.stop()


async def test_readyz_comes_back_when_the_other_connection_notices_the_loss_late(world: World) -> None:
    """The reset itself failed with Unavailable: once that ended the listener, silently and for good."""
    failures = [Unavailable("away"), Unavailable("away"), ValueError("a record that cannot be read")]
    resets: list[int] = []

    async def reset() -> None:
        resets.append(1)
        if len(resets) > 1 and failures:
            raise failures.pop(0)

    heard: list[str] = []

    async def change(kind: str, identifier: str) -> None:
        heard.append(identifier)

    tail = Tail(redis_url(), change, reset)
    await tail.start()
    try:
        connection = tail._pipe._connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        assert await until(lambda: len(resets) == 5)
        assert await until(lambda: tail.attached)
        world.announce("key", "later")
        assert await until(lambda: heard == ["later"])
    finally:
        await tail.stop()


async def test_a_change_that_cannot_be_read_does_not_end_the_listener(world: World) -> None:
    heard: list[str] = []

    async def change(kind: str, identifier: str) -> None:
        heard.append(identifier)

    async def reset() -> None:
        heard.append("reset")

    tail = Tail(redis_url(), change, reset)
    await tail.start()
    try:
        world.redis.xadd(changes_name(), {"nonsense": "1"})
        assert await until(lambda: heard.count("reset") == 2)
        assert await until(lambda: tail.attached)
        world.announce("tenant", "later")
        assert await until(lambda: heard[-1] == "later")
    finally:
        await tail.stop()


async def test_a_change_number_that_was_seen_arouses_no_suspicion(world: World) -> None:
    resets: list[int] = []

    async def nothing(*_: str) -> None:
        resets.append(1)

    tail = Tail(redis_url(), nothing, nothing)
    await tail.start()
    try:
        tail.heard_of(int(world.redis.get(key("gw", "sequence")) or 0))
        await asyncio.sleep(0.7)
        assert resets == [1]
    finally:
        await tail.stop()


async def test_a_stream_whose_key_was_revoked_while_redis_was_away_is_cut_when_it_is_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.proxy.world.control", server.client)
    monkeypatch.setattr("tests.proxy.serving.redis_url", lambda: server.url)
    world = make_world()
    world.publish_catalogue(pace_ms=200)
    body = {"model": "demo-chat", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    headers = {"authorization": f"Bearer {world.token}"}
    async with (
        serving() as served,
        httpx.AsyncClient(timeout=20) as client,
        client.stream("POST", f"{served.url}/v1/chat/completions", json=body, headers=headers) as answer,
    ):
        lines = answer.aiter_lines()
        await anext(lines)
        server.kill()
        await asyncio.sleep(0.1)
        server.start()
        world.revoke()
        rest = "".join([line async for line in lines])
    assert "access_withdrawn" in rest
