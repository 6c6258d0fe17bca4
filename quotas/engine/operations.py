"""What is said to the scripts and how their answers read; owns no connection.

Each operation is a generator that yields calls and is sent their replies, so that the asyncio engine and the
blocking one share every decision.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from core.redis.pipe import Argument, Script
from quotas.data import (
    MOST,
    Admission,
    Denial,
    EffectiveLimits,
    Kind,
    Limit,
    MeterReading,
    Outcome,
    Period,
    ReserveRequest,
    Ticket,
    Window,
)
from quotas.engine import scripts
from quotas.engine.keys import EngineKeys
from quotas.engine.plan import Plan, compile_plan
from quotas.errors import AmountNotUsable, QuotasRecovering, ReservationClosed

Call = tuple[Script, Sequence[Argument], Sequence[Argument]]
T = TypeVar("T")
Steps = Generator[Call, Any, T]
PeriodFinder = Callable[[int], Period]

# First number of a reply of reserve.lua and peek.lua.
_DENIED, _ADMITTED, _RECOVERING, _OTHER_PERIOD, _CLOSED = range(5)
_PLANS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class _Compiled:
    limits: EffectiveLimits
    key_limits: tuple[Limit, ...]
    plan: Plan


class Operations:
    """Shared by all calls of one engine; holds compiled plans and the period as the server's clock gave it."""

    def __init__(self, keys: EngineKeys, find_period: PeriodFinder, epoch_seconds: int) -> None:
        self.keys = keys
        self._find_period = find_period
        self._period = find_period(epoch_seconds)
        self._plans: dict[tuple[str, str], _Compiled] = {}

    def plan_of(self, limits: EffectiveLimits, key_id: str, key_limits: tuple[Limit, ...]) -> Plan:
        name = (limits.tenant_id, key_id)
        known = self._plans.get(name)
        if (
            known is not None
            and known.plan.period is self._period
            and (known.limits is limits or known.limits == limits)
            and (known.key_limits is key_limits or known.key_limits == key_limits)
        ):
            return known.plan
        plan = compile_plan(self.keys, limits, key_id, key_limits, self._period)
        if len(self._plans) >= _PLANS_KEPT:
            self._plans.clear()
        self._plans[name] = _Compiled(limits, key_limits, plan)
        return plan

    def reserve(self, request: ReserveRequest) -> Steps[Admission]:
        if not (0 <= request.input_tokens <= request.tokens <= MOST):
            raise AmountNotUsable(fields={"tokens": [AmountNotUsable.title]})
        if not (0 <= request.input_micro <= request.micro <= MOST):
            raise AmountNotUsable(fields={"micro": [AmountNotUsable.title]})
        plan = self.plan_of(request.limits, request.key_id, request.key_limits)
        reply = yield self._reserve_call(request, plan)
        if reply[0] == _OTHER_PERIOD:
            self._period = self._find_period(reply[1])
            plan = self.plan_of(request.limits, request.key_id, request.key_limits)
            reply = yield self._reserve_call(request, plan)
        return _admission(request, plan, reply)

    def _reserve_call(self, request: ReserveRequest, plan: Plan) -> Call:
        keys = self.keys
        reservation = keys.reservation(request.limits.tenant_id, request.id)
        return (
            scripts.RESERVE,
            (reservation, keys.epoch, keys.sequence, keys.expiry, keys.alerts),
            (
                plan.encoded,
                request.id,
                request.tokens,
                request.micro,
                request.input_tokens,
                request.input_micro,
                request.ttl_ms,
                request.abandoned_event,
            ),
        )

    def settle(self, ticket: Ticket, tokens: int, micro: int, event: bytes) -> Steps[Outcome]:
        if not (0 <= tokens <= MOST and 0 <= micro <= MOST):
            raise AmountNotUsable(fields={"tokens": [AmountNotUsable.title]})
        keys = self.keys
        names = (keys.reservation(ticket.tenant_id, ticket.reservation_id), keys.expiry, keys.alerts, keys.usage)
        args: tuple[Argument, ...] = (ticket.reservation_id, tokens, micro, event)
        reply = yield scripts.SETTLE, names, args
        if reply == Outcome.UNKNOWN:
            reply = yield scripts.SETTLE, names, (*args, ticket.plan)
        return Outcome(reply)

    def release(self, ticket: Ticket) -> Steps[Outcome]:
        keys = self.keys
        names = (keys.reservation(ticket.tenant_id, ticket.reservation_id), keys.expiry, keys.alerts)
        reply = yield scripts.RELEASE, names, (ticket.reservation_id,)
        return Outcome(reply)

    def peek(
        self, limits: EffectiveLimits, key_id: str, key_limits: tuple[Limit, ...], now: datetime
    ) -> Steps[tuple[MeterReading, ...]]:
        plan = self.plan_of(limits, key_id, key_limits)
        reply = yield scripts.PEEK, (), (plan.encoded,)
        if reply and reply[0] == _OTHER_PERIOD:
            self._period = self._find_period(reply[1])
            plan = self.plan_of(limits, key_id, key_limits)
            reply = yield scripts.PEEK, (), (plan.encoded,)
        return tuple(_reading(plan, position, row, now) for position, row in enumerate(reply))


def _admission(request: ReserveRequest, plan: Plan, reply: Sequence[int]) -> Admission:
    verdict = reply[0]
    if verdict == _ADMITTED:
        ticket = Ticket(request.id, request.limits.tenant_id, plan.encoded)
        return Admission(ticket, None, _window(reply, 2), _window(reply, 5), reply[1])
    if verdict == _DENIED:
        _, position, limit, remaining, reset_us = reply
        meter = plan.meters[position - 1]
        reset = None if reset_us < 0 else max(1, -(-reset_us // 1_000_000))
        denial = Denial(meter.limit.dimension, meter.scope, limit, remaining, reset)
        return Admission(None, denial, None, None, 0)
    if verdict == _RECOVERING:
        raise QuotasRecovering
    assert verdict == _CLOSED, reply
    raise ReservationClosed


def _window(reply: Sequence[int], at: int) -> Window | None:
    if reply[at] < 0:
        return None
    return Window(reply[at], reply[at + 1], -(-reply[at + 2] // 1000))


def _reading(plan: Plan, position: int, row: Sequence[int], now: datetime) -> MeterReading:
    used, held, reset_us = row
    meter = plan.meters[position]
    kind = meter.limit.dimension.kind
    if kind is Kind.PERIOD:
        resets_at: datetime | None = datetime.fromtimestamp(plan.period.ends_at, tz=UTC)
    else:
        resets_at = now + timedelta(microseconds=reset_us) if reset_us else None
    return MeterReading(meter.limit.dimension, meter.scope, used, held, meter.limit, resets_at)
