"""Books that could not be closed at once; owns their repetition until Redis answers, refuses to change amounts.

A settlement may be sent twice (its answer was lost): the reservation's id makes the second one do nothing. What
does not fit or is left at the end of the process is swept later as abandoned, at the input estimate. A reservation
whose own answer was lost is given back, for its request was refused and nobody may be charged for that. Each kind has
a backlog of its own, and settlements go first: a store that fails refuses requests by the thousand, and what they
leave to give back must not cost what others have used.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import structlog

from core.errors import LumosError, Unavailable
from core.redis.pipe import RedisRefused
from quotas.api import QuotaEngine, Ticket

log = structlog.get_logger(__name__)
_PAUSES = (0.05, 0.1, 0.25, 0.5)
_REFUSALS = 5


@dataclass(slots=True)
class Settlement:
    """What one request cost, ready to be booked."""

    ticket: Ticket
    input_tokens: int
    output_tokens: int
    micro: int
    event: bytes
    refusals: int = 0


@dataclass(slots=True)
class GiveBack:
    """A reservation that may or may not have been made, of a request that was never forwarded."""

    ticket: Ticket
    refusals: int = 0


class Settler:
    """Books at once when Redis answers; else keeps at most `backlog` of each kind and repeats them in order."""

    def __init__(self, engine: QuotaEngine, backlog: int) -> None:
        self._engine = engine
        self._backlog = backlog
        self._settlements: deque[Settlement | GiveBack] = deque()
        self._give_backs: deque[Settlement | GiveBack] = deque()
        self._worker: asyncio.Task[None] | None = None
        self.lost = 0

    def __len__(self) -> int:
        return len(self._settlements) + len(self._give_backs)

    async def book(self, settlement: Settlement) -> None:
        """Never raises but for cancellation; whatever happens, the settlement is booked, kept, or counted as lost."""
        try:
            await self._send(settlement)
        except Unavailable:
            self._keep(settlement)
        except LumosError as error:
            self._lose(settlement, error)
        except asyncio.CancelledError:
            self._keep(settlement)
            raise

    def give_back(self, reservation_id: str, tenant_id: str) -> None:
        """Release a reservation as soon as Redis answers; releasing one that was never made does nothing."""
        self._keep(GiveBack(Ticket(reservation_id, tenant_id, b"")))

    async def drain(self, seconds: float) -> int:
        """Waits for the backlog; returns how many are left to the sweeper."""
        if self._worker is not None:
            await asyncio.wait({self._worker}, timeout=seconds)
            self._worker.cancel()
        return len(self)

    async def _send(self, settlement: Settlement | GiveBack) -> None:
        if isinstance(settlement, GiveBack):
            await self._engine.release(settlement.ticket)
            return
        await self._engine.settle(
            settlement.ticket,
            input_tokens=settlement.input_tokens,
            output_tokens=settlement.output_tokens,
            micro=settlement.micro,
            event=settlement.event,
        )

    def _keep(self, settlement: Settlement | GiveBack) -> None:
        waiting = self._give_backs if isinstance(settlement, GiveBack) else self._settlements
        if len(waiting) >= self._backlog:
            self._lose(settlement, None)
            return
        waiting.append(settlement)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._repeat())

    def _lose(self, settlement: Settlement | GiveBack, error: Exception | None) -> None:
        self.lost += 1
        log.error(
            "proxy.settlement.left_to_sweeper",
            request_id=settlement.ticket.reservation_id,
            tenant=settlement.ticket.tenant_id,
            error=str(error or "the backlog is full")[:200],
        )

    async def _repeat(self) -> None:
        attempt = 0
        while waiting := self._settlements or self._give_backs:
            settlement = waiting[0]
            try:
                await self._send(settlement)
            except LumosError as error:
                if self._gives_up(settlement, error):
                    waiting.popleft()
                    self._lose(settlement, error)
                await asyncio.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
                attempt += 1
            else:
                waiting.popleft()
                attempt = 0

    @staticmethod
    def _gives_up(settlement: Settlement | GiveBack, error: LumosError) -> bool:
        """Whether the error is about this settlement rather than about the connection."""
        if isinstance(error, RedisRefused) or not isinstance(error, Unavailable):
            settlement.refusals += 1
        return settlement.refusals >= _REFUSALS
