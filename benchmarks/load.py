"""The load generator: callbacks over keep-alive connections, so that the client costs little beside what it measures.

Owns what a request looks like from outside (latency, first token, gaps, errors); knows nothing of Lumos.
A closed loop: each connection sends its next request when the answer to the last one is complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import httptools
import orjson

from benchmarks.answers import TAIL_EVENTS, behaviour_of

GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the chat completions are: a base URL that ends in /v1, and the key for it."""

    base_url: str
    key: str = "none"

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.base_url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    def request(self, model: str, *, stream: bool, headers: Mapping[str, str] | None = None) -> bytes:
        """A complete HTTP request of about 400 bytes of JSON, as a short chat has."""
        messages = [
            {"role": "system", "content": "You are a careful assistant who answers in one short paragraph. " * 2},
            {"role": "user", "content": "Why does a request through a gateway take longer than without one? " * 2},
        ]
        document: dict[str, object] = {"model": model, "messages": messages, "max_tokens": 256, "temperature": 0.2}
        if stream:
            document["stream"] = True
        body = orjson.dumps(document)
        host, port = self.address
        lines = {
            "host": f"{host}:{port}",
            "authorization": f"Bearer {self.key}",
            "content-type": "application/json",
            "content-length": str(len(body)),
            "accept": "application/json",
            "user-agent": "lumos-bench",
            **(headers or {}),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        path = urlsplit(self.base_url).path.rstrip("/")
        return f"POST {path}/chat/completions HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `connections` clients for `seconds`, or `each` requests by every client when that is not 0.

    The clients start spread evenly over `ramp_seconds`. What started in the first `warm_seconds` is not counted.
    """

    request: bytes
    connections: int
    seconds: float = 0
    each: int = 0
    ramp_seconds: float = 0
    warm_seconds: float = 0
    events: int = 0  # how many a complete stream has; 0: not a stream
    stream_seconds: float = 0  # how long a stream takes by its own pace

    @property
    def expected_seconds(self) -> float:
        """How long a run takes when nothing hangs."""
        return max(self.seconds, self.each * self.stream_seconds) + self.stream_seconds + self.ramp_seconds


def stream_seconds(model: str) -> float:
    """How long a stream of this model takes by its pace."""
    behaviour = behaviour_of(model)
    return behaviour.chunks * behaviour.pace_ms / 1000


def stream_events(model: str) -> int:
    """How many events a client that did not ask for usage must see of this model's stream."""
    return behaviour_of(model).chunks + TAIL_EVENTS


@dataclass(slots=True)
class Result:
    """Times in seconds. `gaps` holds the longest wait between two reads of each stream."""

    seconds: float = 0
    connections: int = 0
    latencies: list[float] = field(default_factory=list)
    first_tokens: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    events: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return len(self.latencies)

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    def stalled(self, longest: float) -> int:
        """How many streams once waited longer than `longest` seconds."""
        return sum(gap > longest for gap in self.gaps)


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


class _Client(asyncio.Protocol):
    """One connection: sends, measures, sends again."""

    def __init__(self, plan: Plan, result: Result, began: float, done: asyncio.Future[None]) -> None:
        self._plan = plan
        self._result = result
        self._began = began
        self._done = done
        self._left = plan.each
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._result.connections += 1
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._fail("connection lost")
        self._finish()

    def abort(self) -> None:
        """The time is over: what has not been answered by now is an error."""
        if self._waiting:
            self._fail("no answer")
        self._transport.abort()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._events = 0
        self._body_bytes = 0
        self._gap = 0.0
        self._first = 0.0
        self._refusal = b""
        self._waiting = True
        self._sent = self._last = perf_counter()
        self._transport.write(self._plan.request)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("malformed")
            self._transport.abort()

    def on_body(self, body: bytes) -> None:
        now = perf_counter()
        if self._body_bytes == 0:
            self._first = now - self._sent
        elif now - self._last > self._gap:
            self._gap = now - self._last
        self._last = now
        self._body_bytes += len(body)
        if self._plan.events:
            self._events += body.count(b"\n\n")
        if self._parser.get_status_code() != 200:
            self._refusal += body

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        keep_alive = self._parser.should_keep_alive()
        if status != 200:
            self._fail(f"status {status} {_code(self._refusal)}".strip())
        elif self._events != self._plan.events or not self._body_bytes:
            self._fail("cut short" if self._events < self._plan.events else "too many events")
        else:
            self._count()
        self._waiting = False
        if keep_alive and self._goes_on():
            self._send()
        else:
            self._finish()
            self._transport.close()

    def _count(self) -> None:
        if self._sent - self._began < self._plan.warm_seconds:
            return
        result = self._result
        result.latencies.append(perf_counter() - self._sent)
        if self._plan.events:
            result.first_tokens.append(self._first)
            result.gaps.append(self._gap)
            result.events += self._events

    def _goes_on(self) -> bool:
        if self._plan.each:
            self._left -= 1
            return self._left > 0
        return perf_counter() - self._began < self._plan.seconds

    def _fail(self, reason: str) -> None:
        self._waiting = False
        self._result.errors[reason] = self._result.errors.get(reason, 0) + 1

    def _finish(self) -> None:
        if not self._done.done():
            self._done.set_result(None)


def _code(refusal: bytes) -> str:
    """The code in an error of OpenAI's shape, "" in any other."""
    try:
        return str(orjson.loads(refusal)["error"]["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


async def run_load(target: Target, plan: Plan) -> Result:
    """Run the plan to its end. A server that closes a connection after an answer ends that client's part."""
    loop = asyncio.get_running_loop()
    result = Result()
    began = perf_counter()
    ends: list[asyncio.Future[None]] = []
    clients: list[_Client] = []
    for number in range(plan.connections):
        pause = began + plan.ramp_seconds * number / plan.connections - perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        done: asyncio.Future[None] = loop.create_future()
        _, client = await loop.create_connection(lambda d=done: _Client(plan, result, began, d), *target.address)  # type: ignore[misc]
        ends.append(done)
        clients.append(client)
    _, late = await asyncio.wait(ends, timeout=plan.expected_seconds + GRACE_SECONDS)
    for client, end in zip(clients, ends, strict=True):
        if end in late:
            client.abort()
    result.seconds = perf_counter() - began - plan.warm_seconds
    return result
