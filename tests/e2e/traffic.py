"""Clients that are cut off and tell the truth about it: HTTP/1.1 by hand, so that a torn answer stays torn.

Owns what a client saw; judges nothing but whether an answer claims to be complete.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
LAST_WORD = "unchanged."  # of every answer of the simulated provider
_LONG_QUESTION = " ".join("abcdefghij" * 8)
_AFTER_A_FAILURE = 0.05


def chat(*, stream: bool, model: str = "demo-chat", question: str = _LONG_QUESTION) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": question}]}


@dataclass
class Answer:
    """What arrived. `ended`: the transfer came to its end; `failure`: how it did not."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    failure: str = ""
    began_at: float = 0.0
    ended_at: float = 0.0

    @property
    def request_id(self) -> str:
        return self.headers.get("x-request-id", "")

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def claims_to_be_whole(self) -> bool:
        """What a client takes for a finished answer: its end without an error before it."""
        if self.is_stream:
            says_so = b"[DONE]" in self.body or re.search(rb'"finish_reason": ?"', self.body) is not None
            return says_so and b'{"error"' not in self.body
        return self.status == 200 and self.ended

    @property
    def is_whole(self) -> bool:
        return self.text.endswith(LAST_WORD)

    @property
    def text(self) -> str:
        if not self.is_stream:
            return str(self.json["choices"][0]["message"]["content"]) if self.ended else ""
        chunks = [json.loads(data) for data in re.findall(rb"^data: (\{.*\})$", self.body, re.MULTILINE)]
        return "".join(
            choice["delta"].get("content") or "" for chunk in chunks for choice in chunk.get("choices") or []
        )


class Client:
    """One connection, opened when it is needed and kept as long as the server keeps it."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    @property
    def local_port(self) -> int:
        assert self._writer is not None
        port: int = self._writer.get_extra_info("sockname")[1]
        return port

    def leave(self) -> None:
        """Gone in the middle, as a closed browser tab."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def ask(self, path: str, body: Any = None, *, answer: Answer | None = None, seconds: float = 45.0) -> Answer:
        """One request; what breaks is in the answer. `answer` fills while it arrives."""
        answer = answer or Answer()
        try:
            async with asyncio.timeout(seconds):
                await self._ask(path, body, answer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            answer.failure = type(error).__name__
            self.leave()
        answer.ended_at = time.monotonic()
        return answer

    async def ask_once(self, path: str, body: Any = None) -> Answer:
        """The same, and no connection left behind."""
        answer = await self.ask(path, body)
        self.leave()
        return answer

    async def _ask(self, path: str, body: Any, answer: Answer) -> None:
        if self._writer is None:
            await self.connect()
        assert self._writer is not None
        content = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"{'GET' if body is None else 'POST'} {path} HTTP/1.1",
            "host: 127.0.0.1",
            f"authorization: Bearer {self._key}",
            "content-type: application/json",
            f"content-length: {len(content)}",
        ]
        self._writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        await self._receive(answer)

    async def _receive(self, answer: Answer) -> None:
        assert self._reader is not None
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        answer.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        answer.status, answer.began_at = int(first.split(" ")[1]), time.monotonic()
        if answer.headers.get("transfer-encoding") == "chunked":
            while size := int(await self._reader.readuntil(b"\r\n"), 16):
                answer.body += (await self._reader.readexactly(size + 2))[:-2]
            await self._reader.readexactly(2)
        else:
            answer.body = await self._reader.readexactly(int(answer.headers.get("content-length", 0)))
        answer.ended = True
        if answer.headers.get("connection") == "close":
            self.leave()


class Clients:
    """Clients in a loop and a thread of their own, so that a test may block while they talk."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: list[Answer] = []
        self.loop = asyncio.new_event_loop()
        self._stopping = False
        self._asking: list[Future[None]] = []

    def run(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def begin(self, keys: list[str], bodies: list[dict[str, Any]], *, clients: int) -> None:
        """Let `clients` of them ask one request after the other until `stop`."""
        for number in range(clients):
            client = Client(self.port, keys[number % len(keys)])
            self._asking.append(self.run(self._keep_asking(client, bodies, number)))

    async def _keep_asking(self, client: Client, bodies: list[dict[str, Any]], number: int) -> None:
        while not self._stopping:
            answer = await client.ask("/v1/chat/completions", bodies[number % len(bodies)])
            self.answers.append(answer)
            number += 1
            if answer.status != 200:
                await asyncio.sleep(_AFTER_A_FAILURE)
        client.leave()

    def stop(self) -> list[Answer]:
        """Let what is open end; everything that was answered."""
        self._stopping = True
        for asking in self._asking:
            asking.result(60)
        self._asking.clear()
        return self.answers

    def served(self) -> int:
        return sum(answer.status == 200 and answer.ended for answer in self.answers)


@contextmanager
def clients_of(port: int) -> Iterator[Clients]:
    clients = Clients(port)
    thread = threading.Thread(target=clients.loop.run_forever, daemon=True)
    thread.start()
    try:
        yield clients
        clients.stop()
    finally:
        clients._stopping = True
        clients.loop.call_soon_threadsafe(clients.loop.stop)
        thread.join(60)
        clients.loop.close()


def until(is_true: Callable[[], Any], what: str, seconds: float = 60.0, pause: float = 0.02) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := is_true()):
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(pause)
    return found
