"""A gateway and exchanges for tests of single stages: real Redis, no server, a port that keeps what it was given."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson

from core.redis import redis_url
from proxy.exchange import Exchange, Headers
from proxy.gateway import Gateway
from proxy.pipeline.route import CHAT
from tests.proxy.serving import TEST_SETTINGS

CHAT_BODY: dict[str, Any] = {"model": "demo-fast", "messages": [{"role": "user", "content": "hello"}]}


class MemoryPort:
    """The client's side: gives `content` as the body and keeps the answer."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.bodies_read = 0
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.sent: list[bytes] = []
        self.ended = False
        self.gone: Callable[[], None] | None = None

    async def body(self, limit: int) -> bytes:
        self.bodies_read += 1
        return self.content

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        self.status, self.headers, self.ended = status, dict(headers), last
        self.sent.append(data)

    async def write(self, data: bytes) -> None:
        self.sent.append(data)

    def write_now(self, data: bytes) -> bool:
        self.sent.append(data)
        return True

    async def finish(self, data: bytes) -> None:
        self.sent.append(data)
        self.ended = True

    async def fail(self, status: int, envelope: bytes) -> None:
        await self.finish(envelope)

    def watch(self, gone: Callable[[], None]) -> None:
        self.gone = gone

    @property
    def error(self) -> dict[str, Any]:
        return orjson.loads(self.sent[0])["error"]


@asynccontextmanager
async def running(**settings: int) -> AsyncIterator[Gateway]:
    gateway = Gateway(replace(TEST_SETTINGS, **settings), redis_url())
    await gateway.start()
    try:
        yield gateway
    finally:
        await gateway.stop()


def exchange_for(
    token: str | None, content: dict[str, Any] | bytes | None = None, *, endpoint: str = CHAT, ip: str = "192.0.2.1"
) -> Exchange:
    raw = content if isinstance(content, bytes) else orjson.dumps(content or CHAT_BODY)
    headers: Headers = [(b"content-type", b"application/json")]
    if token is not None:
        headers.append((b"authorization", b"Bearer " + token.encode()))
    return Exchange(MemoryPort(raw), endpoint=endpoint, ip=ip, headers=headers)


def port_of(exchange: Exchange) -> MemoryPort:
    assert isinstance(exchange.port, MemoryPort)
    return exchange.port
