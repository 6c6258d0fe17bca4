"""The quota engine of the gateway: one round trip to decide, one to close. Owns no rule: the scripts decide."""

from __future__ import annotations

from datetime import datetime

from core.clock import utc_now
from core.redis.pipe import RedisPipe
from quotas.data import Admission, EffectiveLimits, Limit, MeterReading, Outcome, ReserveRequest, Ticket
from quotas.engine.keys import EngineKeys
from quotas.engine.operations import Operations, PeriodFinder, Steps, T
from quotas.periods import calendar_month


class QuotaEngine:
    """Every method raises core.errors.Unavailable when Redis is away: money and identity fail closed.

    `find_period` maps the server's epoch seconds to the running period. A single Redis is required (see keys.py).
    """

    def __init__(
        self, pipe: RedisPipe, *, keys: EngineKeys | None = None, find_period: PeriodFinder = calendar_month
    ) -> None:
        self._pipe = pipe
        now = int(utc_now().timestamp())  # a first guess; the scripts answer with the server's clock
        self._operations = Operations(keys or EngineKeys.of_installation(), find_period, now)

    async def reserve(self, request: ReserveRequest) -> Admission:
        """Decide all limits and hold the amounts, or change nothing. The same id again gives the same answer.

        Raises QuotasRecovering while counters are rebuilt, ReservationClosed for an id that was settled before,
        AmountNotUsable for amounts that are negative, too large or less than the input estimate.
        """
        return await self._run(self._operations.reserve(request))

    async def settle(
        self, ticket: Ticket, *, input_tokens: int, output_tokens: int, micro: int, event: bytes
    ) -> Outcome:
        """Replace what was held by what was used, and write the usage event in the same step, once."""
        return await self._run(self._operations.settle(ticket, input_tokens + output_tokens, micro, event))

    def ticket_for(self, request: ReserveRequest) -> Ticket:
        """What settles a request that was served without a reservation; no round trip. Settling books it in full."""
        plan = self._operations.plan_of(request.limits, request.key_id, request.key_limits)
        return Ticket(request.id, request.limits.tenant_id, plan.encoded)

    async def release(self, ticket: Ticket) -> Outcome:
        """Give everything back, for a request that was never forwarded; no usage event."""
        return await self._run(self._operations.release(ticket))

    async def peek(
        self, limits: EffectiveLimits, *, now: datetime, key_id: str = "", key_limits: tuple[Limit, ...] = ()
    ) -> tuple[MeterReading, ...]:
        """The meters as they stand; changes nothing."""
        return await self._run(self._operations.peek(limits, key_id, key_limits, now))

    async def _run(self, steps: Steps[T]) -> T:
        try:
            script, keys, args = next(steps)
            while True:
                script, keys, args = steps.send(await self._pipe.script(script, keys, args))
        except StopIteration as done:
            result: T = done.value
            return result
