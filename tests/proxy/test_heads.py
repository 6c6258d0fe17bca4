"""Heads of requests from hostile strangers: bounded in bytes and time, and nothing smuggled in after the body."""

from __future__ import annotations

import asyncio
import json

import pytest

from proxy import protocol
from tests.proxy.rawclient import connected
from tests.proxy.serving import serving
from tests.proxy.world import World

pytestmark = pytest.mark.usefixtures("redis")
LINE = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


async def end_of(port: int, *parts: bytes) -> bytes:
    """Everything that the server says until it closes; raises when it does not close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize("filler", [b"x-a: b\r\n" * 1000, b"a" * 8000])
async def test_a_head_without_end_is_cut(world: World, filler: bytes) -> None:
    async with serving() as served:
        said = await end_of(served.port, LINE + b"x-long: ", *[filler] * 2000)
    assert said == b"reset" or said.startswith(b"HTTP/1.1 400")


async def test_a_connection_that_says_no_whole_head_is_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    async with serving() as served:
        assert await end_of(served.port) == b""
        assert await end_of(served.port, LINE) == b""


async def test_a_credential_in_a_trailer_is_none(world: World) -> None:
    body = json.dumps({"model": "demo-fast", "messages": [{"role": "user", "content": "x"}]}).encode()
    head = LINE + b"transfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n" % (len(body), body)
    trailer = b"authorization: Bearer %b\r\n\r\n" % world.token.encode()
    async with serving() as served, connected(served.port) as connection:
        connection.say(head, trailer)
        assert (await connection.hear()).status == 401
