"""A client that says exactly the bytes it is given and reads answers one after another off one connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httptools


class Answer:
    """One answer as it came; `interim` are the statuses before it, such as 100."""

    def __init__(self) -> None:
        self.interim: list[int] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["error"]["code"])


class Connection:
    """One socket to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._parser = httptools.HttpResponseParser(self)
        self._done: list[Answer] = []
        self._answer = Answer()
        self.writer = writer

    def say(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def hear(self, seconds: float = 10) -> Answer:
        """The next whole answer; one without a length ends with the connection."""
        while not self._done:
            data = await asyncio.wait_for(self._reader.read(65_536), seconds)
            if not data:
                assert self._answer.status, "the connection ended without an answer"
                self.on_message_complete()
            else:
                self._parser.feed_data(data)
        return self._done.pop(0)

    async def interim(self) -> bytes:
        """What comes before the answer, up to an empty line."""
        return await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 10)

    async def rest(self) -> bytes:
        """All that comes until the connection ends, as it comes."""
        try:
            return await asyncio.wait_for(self._reader.read(), 10)
        except ConnectionError:
            return b""

    async def is_closed(self) -> bool:
        """Whether the server ends the connection within a second, with nothing more to say."""
        try:
            return await asyncio.wait_for(self._reader.read(1), 1) == b""
        except TimeoutError:
            return False

    def on_message_begin(self) -> None:
        self._answer = Answer()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.status = self._parser.get_status_code()
        self._answer.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._done.append(self._answer)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def request(
    token: str,
    content: Any,
    *,
    method: str = "POST",
    path: str = "/v1/chat/completions",
    version: str = "1.1",
    headers: dict[str, str] | None = None,
) -> bytes:
    """A whole request; a header given as "" is left out."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = {
        "host": "gateway.test",
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **(headers or {}),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return f"{method} {path} HTTP/{version}\r\n{lines}\r\n".encode() + body
