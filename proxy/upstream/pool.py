"""Kept connections to one origin; owns their number, age and re-use, refuses to know what is asked over them."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from core.http import Address, UrlPolicy, UrlRefused, addresses_in, judge, numeric, parse_url
from proxy.errors import ProviderFailure, ProviderLost, ProviderOutOfBounds, ProviderTimeout, ProviderUnavailable
from proxy.upstream.connection import Connection
from proxy.upstream.inbox import Inbox


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a provider listens; `prefix` is the path in front of every endpoint."""

    host: str
    port: int
    secure: bool
    prefix: str

    @classmethod
    def of(cls, base_url: str) -> Origin:
        """Parses a base URL such as https://api.openai.com/v1; raises ValueError."""
        if "?" in base_url or "#" in base_url:
            raise ValueError("a base URL is http(s)://host[:port][/path]")
        place = parse_url(base_url)
        return cls(place.host, place.port, place.secure, place.target.rstrip("/"))

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.secure else 80
        return host if self.port == default else f"{host}:{self.port}"


Lookup = Callable[[str], Awaitable[Sequence[Address]]]


async def _ask_loop(host: str) -> Sequence[Address]:
    """What the loop's own resolver says; raises OSError."""
    return addresses_in(await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM))


class Pool:
    """Connections of one process to one origin: the one used last is used next, the others age out.

    Where the origin's name leads is judged by `policy` for each connection that is opened, and that very address is
    connected to; a connection that is kept costs nothing of it.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        policy: UrlPolicy,
        lookup: Lookup = _ask_loop,
        connect_seconds: float = 5.0,
        keep_seconds: float = 55.0,
        limit: int = 1000,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.origin = origin
        self.opened_total = 0
        self._policy = policy
        self._lookup = lookup
        self._connect_seconds = connect_seconds
        self._keep_seconds = keep_seconds
        self._limit = limit
        self._tls = (tls or ssl.create_default_context()) if origin.secure else None
        self._idle: list[Connection] = []
        self._open: set[Connection] = set()
        self._connecting = 0
        self._retries: set[asyncio.Task[None]] = set()

    async def call(self, request: bytes) -> Inbox:
        """Sends the request bytes; the inbox fills as the answer arrives. Raises ProviderFailure."""
        inbox = Inbox(asyncio.get_running_loop())
        connection = self._take() or await self._connect()
        connection.send(request, inbox)
        return inbox

    def prune(self, now: float) -> None:
        """Closes what nobody used for a while; `now` is the loop's time."""
        while self._idle and now - self._idle[0].idle_since > self._keep_seconds:
            self._idle.pop(0).close()

    async def close(self) -> None:
        for task in list(self._retries):
            task.cancel()
        for connection in list(self._open):
            connection.close()
        self._idle.clear()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self) -> Connection:
        if len(self._open) + self._connecting >= self._limit:
            raise ProviderUnavailable(retry_after_ms=1000)
        self._connecting += 1
        try:
            return await self._dial()
        except TimeoutError as error:
            raise ProviderTimeout() from error
        except UrlRefused as error:
            raise ProviderOutOfBounds() from error
        except OSError as error:
            raise ProviderLost() from error
        finally:
            self._connecting -= 1

    async def _dial(self) -> Connection:
        async with asyncio.timeout(self._connect_seconds):
            connection = await self._connected(await self._addresses())
        self.opened_total += 1
        self._open.add(connection)
        return connection

    async def _addresses(self) -> Sequence[Address]:
        """Where to connect now. Raises UrlRefused when any of it is out of bounds, OSError when nothing is known."""
        host = self.origin.host
        literal = numeric(host)
        return judge(host, self._policy, [literal] if literal is not None else await self._lookup(host))

    async def _connected(self, addresses: Sequence[Address]) -> Connection:
        """The first of the addresses that takes the connection; certificate and SNI keep the name."""
        failure: OSError = OSError("the name leads nowhere")
        for address in addresses:
            try:
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._keep, self._forget),
                    str(address),
                    self.origin.port,
                    ssl=self._tls,
                    server_hostname=self.origin.host if self._tls else None,
                )
                return connection
            except OSError as error:
                failure = error
        raise failure

    def _keep(self, connection: Connection) -> None:
        connection.idle_since = asyncio.get_running_loop().time()
        self._idle.append(connection)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.inbox is not None:
            task = asyncio.get_running_loop().create_task(self._ask_again(connection))
            self._retries.add(task)
            task.add_done_callback(self._retries.discard)

    async def _ask_again(self, stale: Connection) -> None:
        """The other end had closed a kept connection before it saw the request: ask once more on a fresh one."""
        try:
            fresh = await self._connect()
        except ProviderFailure as error:
            if stale.inbox is not None:
                stale.inbox.fail(error)
            return
        inbox, stale.inbox = stale.inbox, None
        if inbox is None:  # nobody waits any more
            self._keep(fresh)
        else:
            fresh.send(stale.request, inbox)
