"""Looks at every open exchange a few times a second; owns time-outs, slow readers and withdrawn access.

One pass over all of them is cheaper than timers of their own, which each chunk would have to move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from proxy.errors import AccessWithdrawn, BodyTooSlow, ClientGone, GatewayError, NotReady, ProviderTimeout

if TYPE_CHECKING:
    from proxy.conf import GatewaySettings
    from proxy.exchange import Exchange
    from proxy.records import KeyRecord

TICK_SECONDS = 0.2
WATCH_CLIENT_AFTER = 0.15


_POLICY_VIOLATION, _SERVICE_RESTART = 1008, 1012  # RFC 6455 and its registry of close codes


class Socket(Protocol):
    """An open websocket: it stays when nothing is asked over it, and must end with its key."""

    key: KeyRecord | None
    ip: str

    def end(self, code: int) -> None: ...


class Watch:
    """The open exchanges and sockets of this process."""

    def __init__(self, settings: GatewaySettings, on_tick: Callable[[float], None]) -> None:
        self._body = settings.body_seconds
        self._first_byte = settings.first_byte_ms / 1000
        self._idle = settings.idle_ms / 1000
        self._total = settings.total_ms / 1000
        self._on_tick = on_tick
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._empty.set()
        self.open: dict[Exchange, float] = {}
        self.sockets: set[Socket] = set()

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_SECONDS, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def enter(self, exchange: Exchange) -> None:
        self.open[exchange] = asyncio.get_running_loop().time()
        self._empty.clear()

    def leave(self, exchange: Exchange) -> None:
        self.open.pop(exchange, None)
        if not self.open:
            self._empty.set()

    def withdraw_key(self, digest: str) -> None:
        """Cuts everything that this key has open."""
        self.withdraw(lambda key, ip: key.digest == digest)

    def withdraw_tenant(self, tenant_id: str) -> None:
        """Cuts everything that this tenant has open."""
        self.withdraw(lambda key, ip: key.tenant_id == tenant_id)

    def key_digests(self) -> set[str]:
        return {key.digest for key in self._keys() if key.digest}

    def tenant_ids(self) -> set[str]:
        return {key.tenant_id for key in self._keys()}

    def _keys(self) -> Iterator[KeyRecord]:
        holders: list[Exchange | Socket] = [*self.open, *self.sockets]
        yield from (holder.key for holder in holders if holder.key is not None)

    def withdraw(self, concerns: Callable[[KeyRecord, str], bool]) -> None:
        """Cuts every exchange and socket of whose key and address `concerns` says so."""
        for exchange in list(self.open):
            if exchange.key is not None and concerns(exchange.key, exchange.ip):
                exchange.cut(AccessWithdrawn())
        for connection in list(self.sockets):
            if connection.key is not None and concerns(connection.key, connection.ip):
                connection.end(_POLICY_VIOLATION)

    async def drained(self, seconds: float) -> int:
        """Waits until nothing is open, then cuts what is left; returns how many were cut."""
        for connection in list(self.sockets):
            connection.end(_SERVICE_RESTART)
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            left = list(self.open)
            for exchange in left:
                exchange.cut(NotReady())
            await asyncio.wait({asyncio.ensure_future(self._empty.wait())}, timeout=2)
            return len(left)
        return 0

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_SECONDS, self._tick)
        now = loop.time()
        for exchange, since in list(self.open.items()):
            if not exchange.watched and now - since > WATCH_CLIENT_AFTER and exchange.raw is not None:
                exchange.watched = True
                exchange.port.watch(exchange.client_left)
            fault = self._fault(exchange, since, now)
            if fault is not None:
                exchange.cut(fault)
        self._on_tick(now)

    def _fault(self, exchange: Exchange, since: float, now: float) -> GatewayError | None:
        """Why the exchange must not go on, or None."""
        if exchange.raw is None:
            return BodyTooSlow() if now - since > self._body else None
        if exchange.writing_since:
            is_stuck = now - exchange.writing_since > self._idle or now - since > self._total
            return ClientGone() if is_stuck else None
        if now - since > self._total:
            return ProviderTimeout()
        inbox = exchange.inbox
        if inbox is None:
            return None
        limit = self._idle if exchange.first_token_ns else self._first_byte
        return ProviderTimeout() if now - max(exchange.called_at, inbox.touched_at) > limit else None
