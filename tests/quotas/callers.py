"""Processes of the race tests: each connects, waits at the barrier, then does its share at once."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.ids import new_ulid
from core.redis import redis_url
from core.redis.pipe import RedisPipe
from quotas.api import EffectiveLimits, QuotaEngine, ReserveRequest, Ticket

_FORK = multiprocessing.get_context("fork")
_PATIENCE = 60


@dataclass(frozen=True, slots=True)
class Reserving:
    """`count` callers of one tenant at once; answers who was admitted."""

    limits: EffectiveLimits
    tokens: int
    micro: int
    count: int

    async def run(self, engine: QuotaEngine) -> list[Any]:
        requests = [
            ReserveRequest(f"req_{new_ulid()}", self.limits, self.tokens, self.micro, 0, 0, b"{}")
            for _ in range(self.count)
        ]
        answers = await asyncio.gather(*(engine.reserve(request) for request in requests))
        return [answer.admitted for answer in answers]


@dataclass(frozen=True, slots=True)
class Settling:
    """All of `tickets` at once; answers the outcomes."""

    tickets: list[Ticket]
    tokens: int
    micro: int

    async def run(self, engine: QuotaEngine) -> list[Any]:
        return list(await asyncio.gather(*(self._settle(engine, ticket) for ticket in self.tickets)))

    async def _settle(self, engine: QuotaEngine, ticket: Ticket) -> Any:
        event = json.dumps({"id": ticket.reservation_id, "tokens": self.tokens, "micro": self.micro}).encode()
        return await engine.settle(ticket, input_tokens=self.tokens, output_tokens=0, micro=self.micro, event=event)


Share = Reserving | Settling


def run_processes(
    shares: list[Share], *, meanwhile: Callable[[], None] = lambda: None
) -> tuple[list[list[Any]], float]:
    """What each process answered, and the seconds from opening the barrier to the last answer."""
    barrier = _FORK.Barrier(len(shares) + 1)
    answers = _FORK.Queue()
    processes = [_FORK.Process(target=_child, args=(share, barrier, answers), daemon=True) for share in shares]
    for process in processes:
        process.start()
    try:
        barrier.wait(_PATIENCE)
        began = time.monotonic()
        meanwhile()
        collected = [answers.get(timeout=_PATIENCE) for _ in shares]
        return collected, time.monotonic() - began
    finally:
        for process in processes:
            process.join(5)
            process.kill()


def _child(share: Share, barrier: Any, answers: Any) -> None:
    answers.put(asyncio.run(_at_the_barrier(share, barrier)))


async def _at_the_barrier(share: Share, barrier: Any) -> list[Any]:
    pipe = RedisPipe(redis_url(), timeout=30)
    await pipe.connect()
    engine = QuotaEngine(pipe)
    barrier.wait(_PATIENCE)
    try:
        return await share.run(engine)
    finally:
        await pipe.close()
