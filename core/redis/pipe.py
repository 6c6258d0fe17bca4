"""The gateway's own Redis connection: one socket, one write a loop turn, answers in order.

Callers that wait at the same time share a round trip. A lost connection fails what was in flight with Unavailable
and is made again in the background; while it is away calls fail at once, so nobody hangs on a dead server.
Protocol: RESP2 as parsed by hiredis.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import hiredis
import structlog

from core.errors import Unavailable
from core.redis import answer_seconds

log = structlog.get_logger(__name__)
Argument = str | bytes | int
_BACKOFF = (0.02, 0.05, 0.1, 0.25, 0.5, 1.0)


class RedisAway(Unavailable):
    """`unanswered`: the command was on its way and may have been carried out, or may be yet."""

    code = "redis_unavailable"
    title = "The limit store is not reachable"

    def __init__(self, message: str = "", *, unanswered: bool = False) -> None:
        super().__init__(message, next_step="Try again in a moment", headers={"retry-after": "1"})
        self.unanswered = unanswered


class RedisRefused(Unavailable):
    code = "redis_error"
    title = "The limit store refused a command"


class Script:
    """A Lua script and its digest. Shared by all connections; holds no state."""

    __slots__ = ("name", "sha", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class _Connection(asyncio.Protocol):
    """Bytes in, replies out; owns the order of what waits."""

    def __init__(self, owner: RedisPipe) -> None:
        self._owner = owner
        self._reader = hiredis.Reader()
        self.waiting: deque[asyncio.Future[Any]] = deque()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports inherit from nothing

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not False:
            future = self.waiting.popleft()
            if not future.done():
                future.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        for future in self.waiting:
            if not future.done():
                future.set_exception(RedisAway(unanswered=True))
        self.waiting.clear()
        self._owner.on_lost(self)


class RedisPipe:
    """One multiplexed connection. `timeout` bounds each call, in seconds; None: as long as anybody's."""

    def __init__(self, url: str, *, timeout: float | None = None) -> None:
        self._url = urlsplit(url)
        self._timeout = answer_seconds() if timeout is None else timeout
        self._connection: _Connection | None = None
        self._outgoing: list[bytes] = []
        self._repair: asyncio.Task[None] | None = None
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadlines: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._alarm: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"RedisPipe({self._url.hostname}:{self._url.port}, connected={self.connected})"

    @property
    def connected(self) -> bool:
        return self._connection is not None

    async def connect(self) -> None:
        """Open the connection; raises RedisAway when the server does not answer."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(self._open(), self._timeout)
        except (OSError, TimeoutError) as error:
            raise RedisAway() from error

    async def close(self) -> None:
        self._closed = True
        if self._repair:
            self._repair.cancel()
        if self._alarm:
            self._alarm.cancel()
        if self._connection and self._connection.transport:
            self._connection.transport.close()
        self._connection = None

    async def execute(self, *command: Argument) -> Any:
        """The reply of one command; raises RedisAway on loss or time-out, RedisRefused on an error reply."""
        return self._checked(await self._send(command))

    async def script(self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
        """The reply of a script, loading it on this server when it is not known there."""
        reply = await self._send(("EVALSHA", script.sha, len(keys), *keys, *args))
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            reply = await self._send(("EVAL", script.text, len(keys), *keys, *args))
        return self._checked(reply)

    @staticmethod
    def _checked(reply: Any) -> Any:
        if isinstance(reply, hiredis.ReplyError):
            if str(reply).startswith(("LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN")):
                raise RedisAway()
            raise RedisRefused(str(reply)[:200])
        return reply

    async def _send(self, command: tuple[Argument, ...]) -> Any:
        connection, loop = self._connection, self._loop
        if connection is None or loop is None:
            raise RedisAway()
        future: asyncio.Future[Any] = loop.create_future()
        if not self._outgoing:
            loop.call_soon(self._flush)
        self._outgoing.append(hiredis.pack_command(command))  # type: ignore[arg-type]
        connection.waiting.append(future)
        self._deadlines.append((loop.time() + self._timeout, future))
        if self._alarm is None:
            self._alarm = loop.call_later(self._timeout, self._expire, loop)
        return await future

    def _expire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fail what waits too long. One time-out for all, so the oldest call is the first to end: one timer serves
        every call. A late reply still pops its place in the connection's queue, so the order stays true."""
        self._alarm, now = None, loop.time()
        while self._deadlines and (self._deadlines[0][1].done() or self._deadlines[0][0] <= now):
            _, future = self._deadlines.popleft()
            if not future.done():
                future.set_exception(RedisAway("The limit store did not answer in time", unanswered=True))
        if self._deadlines:
            self._alarm = loop.call_at(self._deadlines[0][0], self._expire, loop)

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        connection = self._connection
        if connection is not None and connection.transport is not None and outgoing:
            connection.transport.write(b"".join(outgoing))

    async def _open(self) -> None:
        assert self._loop is not None
        _, connection = await self._loop.create_connection(
            lambda: _Connection(self),
            self._url.hostname or "127.0.0.1",
            self._url.port or 6379,
            ssl=self._url.scheme == "rediss" or None,
        )
        for command in self._greeting():
            reply: asyncio.Future[Any] = self._loop.create_future()
            connection.waiting.append(reply)
            assert connection.transport is not None
            connection.transport.write(hiredis.pack_command(command))  # type: ignore[arg-type]
            answer = await reply
            if isinstance(answer, hiredis.ReplyError):
                connection.transport.close()
                raise RedisAway(str(answer)[:100])
        self._outgoing = []
        self._connection = connection

    def _greeting(self) -> list[tuple[str, ...]]:
        """AUTH and SELECT of the URL, then PING: proves that the server answers and is not still loading."""
        commands: list[tuple[str, ...]] = [("PING",)]
        database = self._url.path.strip("/")
        if database not in ("", "0"):
            commands.insert(0, ("SELECT", database))
        if self._url.password:
            user = (unquote(self._url.username),) if self._url.username else ()
            commands.insert(0, ("AUTH", *user, unquote(self._url.password)))
        return commands

    def on_lost(self, connection: _Connection) -> None:
        """Called by the connection when its socket is gone."""
        if connection is not self._connection:
            return
        self._connection = None
        self._outgoing = []
        if not self._closed and self._loop is not None:
            log.warning("redis.connection.lost")
            self._repair = self._loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        attempt = 0
        while not self._closed:
            await asyncio.sleep(_BACKOFF[min(attempt, len(_BACKOFF) - 1)])
            attempt += 1
            try:
                await asyncio.wait_for(self._open(), self._timeout)
            except (OSError, TimeoutError, RedisAway):
                continue
            log.info("redis.connection.restored", attempts=attempt)
            return
