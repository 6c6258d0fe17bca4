"""An upstream that does what a test tells it to, over real sockets; counts connections and says what it saw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

Act = Callable[["Call"], Awaitable[None]]


@dataclass
class Call:
    """One request as it arrived, and the socket to answer on."""

    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def raw(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int, body: bytes, **headers: str) -> None:
        lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw(("\r\n".join(lines) + "\r\n\r\n").encode() + body)

    async def answer_json(self, content: Any, status: int = 200, **headers: str) -> None:
        await self.answer(status, json.dumps(content).encode(), content_type="application/json", **headers)

    async def begin_stream(self) -> None:
        await self.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

    async def chunk(self, data: bytes) -> None:
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def event(self, content: Any) -> None:
        await self.chunk(b"data: " + json.dumps(content, separators=(",", ":")).encode() + b"\n\n")

    async def end_stream(self) -> None:
        await self.raw(b"0\r\n\r\n")


class FakeServer:
    """`act` is called for each request; `calls` are all that came, `connections` how many sockets were opened."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.calls: list[Call] = []
        self.connections = 0
        self.port = 0
        self.left = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                call = await self._read(reader, writer)
                self.calls.append(call)
                await self._act(call, reader)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _act(self, call: Call, reader: asyncio.StreamReader) -> None:
        acting = asyncio.ensure_future(self.act(call))
        leaving = asyncio.ensure_future(self._wait_for_leaving(reader))
        await asyncio.wait({acting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        is_broken = acting.done() and isinstance(acting.exception(), ConnectionError)
        if is_broken or (leaving.done() and not acting.done()):
            self.left += 1
            call.closed.set()
            acting.cancel()
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        await asyncio.gather(acting)
        if call.writer.is_closing():
            raise ConnectionResetError

    @staticmethod
    async def _wait_for_leaving(reader: asyncio.StreamReader) -> None:
        while not reader.at_eof() and reader.exception() is None:
            await asyncio.sleep(0.005)

    @staticmethod
    async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Call(first.split(" ")[1], headers, body, writer)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def fake_server(act: Act) -> AsyncIterator[FakeServer]:
    server = FakeServer(act)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await server.stop()


def chunk_of(text: str, *, finish: str | None = None, **extra: Any) -> dict[str, Any]:
    """A chat chunk as providers send it."""
    delta = {"content": text} if text else {}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up-1", "choices": [choice], **extra}


def usage_of(inputs: int, outputs: int, cached: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": inputs,
        "completion_tokens": outputs,
        "total_tokens": inputs + outputs,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def usage_chunk(inputs: int, outputs: int, cached: int = 0) -> dict[str, Any]:
    return {**chunk_of(""), "choices": [], "usage": usage_of(inputs, outputs, cached)}


def completion(text: str, usage: dict[str, Any] | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": "up-1", "choices": choices}
    return answer if usage is None else {**answer, "usage": usage}


async def good_stream(call: Call, words: int = 5, pace: float = 0.0) -> None:
    """A whole, honest stream with usage when it was asked for."""
    await call.begin_stream()
    for number in range(words):
        await call.event(chunk_of(f"w{number} "))
        if pace:
            await asyncio.sleep(pace)
    await call.event(chunk_of("", finish="stop"))
    if (call.json.get("stream_options") or {}).get("include_usage"):
        await call.event(usage_chunk(7, words))
    await call.chunk(b"data: [DONE]\n\n")
    await call.end_stream()


async def good(call: Call) -> None:
    """Answers like a healthy provider."""
    if "embeddings" in call.path:
        vector = {"object": "embedding", "index": 0, "embedding": [0.5, 0.5]}
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        await call.answer_json({"object": "list", "data": [vector], "model": "up-e", "usage": usage})
    elif call.json.get("stream"):
        await good_stream(call)
    else:
        await call.answer_json(completion("hello", usage_of(7, 2)))


async def endless(call: Call) -> None:
    """A stream that outlasts every test: who ends it must be somebody else."""
    await good_stream(call, words=100_000, pace=0.02)


def closing_the_second() -> Act:
    """Good answers, but for the second request, whose connection is cut."""
    numbers = count(1)

    async def act(call: Call) -> None:
        if next(numbers) == 2:
            call.writer.transport.abort()
        else:
            await good(call)

    return act
