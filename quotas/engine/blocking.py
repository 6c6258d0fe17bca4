"""The quota engine of the control plane, over redis-py; the same operations as the gateway's, blocking."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import redis
from redis.exceptions import NoScriptError, RedisError

from core.clock import utc_now
from core.redis.pipe import Argument, RedisAway, Script
from quotas.data import Admission, EffectiveLimits, Limit, MeterReading, Outcome, ReserveRequest, Ticket
from quotas.engine.keys import EngineKeys
from quotas.engine.operations import Operations, PeriodFinder, Steps, T
from quotas.periods import calendar_month


def run_script(client: redis.Redis, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
    """The reply of a script; raises core.errors.Unavailable when Redis is away or refuses."""
    try:
        try:
            return client.evalsha(script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return client.eval(script.text, len(keys), *keys, *args)
    except RedisError as error:
        raise RedisAway(str(error)[:200]) from error


class BlockingQuotaEngine:
    """See QuotaEngine for what each method promises."""

    def __init__(
        self, client: redis.Redis, *, keys: EngineKeys | None = None, find_period: PeriodFinder = calendar_month
    ) -> None:
        self._client = client
        self._operations = Operations(keys or EngineKeys.of_installation(), find_period, int(utc_now().timestamp()))

    def reserve(self, request: ReserveRequest) -> Admission:
        return self._run(self._operations.reserve(request))

    def settle(self, ticket: Ticket, *, input_tokens: int, output_tokens: int, micro: int, event: bytes) -> Outcome:
        return self._run(self._operations.settle(ticket, input_tokens + output_tokens, micro, event))

    def release(self, ticket: Ticket) -> Outcome:
        return self._run(self._operations.release(ticket))

    def peek(
        self, limits: EffectiveLimits, *, now: datetime, key_id: str = "", key_limits: tuple[Limit, ...] = ()
    ) -> tuple[MeterReading, ...]:
        return self._run(self._operations.peek(limits, key_id, key_limits, now))

    def _run(self, steps: Steps[T]) -> T:
        try:
            script, keys, args = next(steps)
            while True:
                script, keys, args = steps.send(run_script(self._client, script, keys, args))
        except StopIteration as done:
            result: T = done.value
            return result
