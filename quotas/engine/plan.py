"""Turns limits into the plan that the scripts read; pure. Owns its layout together with lua/common.lua."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from quotas.data import MOST, EffectiveLimits, Kind, Limit, LimitScope, Period
from quotas.engine.keys import EngineKeys
from quotas.errors import LimitNotUsable

THRESHOLDS = (80, 90, 95)
UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class PlannedMeter:
    """A meter at its position in the plan, which is how the scripts name it."""

    scope: LimitScope
    limit: Limit


@dataclass(frozen=True, slots=True)
class Plan:
    """`encoded` goes to the scripts and into the reservation, so that a settlement finds the same keys."""

    encoded: bytes
    meters: tuple[PlannedMeter, ...]
    period: Period


def check_limit_value(value: int | None) -> None:
    """Raises LimitNotUsable for what the scripts could not count exactly."""
    if value is not None and (type(value) is not int or not 0 <= value <= MOST):
        raise LimitNotUsable(fields={"value": [LimitNotUsable.title]})


def compile_plan(
    keys: EngineKeys, limits: EffectiveLimits, key_id: str, key_limits: Sequence[Limit], period: Period
) -> Plan:
    """The plan of a tenant's and, when the key has limits of its own, a key's meters in one period.

    A tenant's periods and leases are counted even without a limit, for they are shown; unlimited rates are not.
    """
    tenant = limits.tenant_id
    groups = [
        *_groups(LimitScope.TENANT, "tenant", keys.tenant(tenant), limits.limits, period),
        *_groups(LimitScope.KEY, f"key:{key_id}", keys.key_scope(tenant, key_id), key_limits if key_id else (), period),
    ]
    body = [value for wire, _ in groups for value in wire]
    first_threshold = _HEADER + len(body) + 1
    header = [tenant, period.id, period.starts_at, period.ends_at, len(groups), first_threshold]
    meters = tuple(meter for _, group_meters in groups for meter in group_meters)
    return Plan(msgspec.msgpack.encode([*header, *body, *THRESHOLDS]), meters, period)


_HEADER = 6
_Group = tuple[list[object], list[PlannedMeter]]


def _groups(scope: LimitScope, label: str, root: str, limits: Iterable[Limit], period: Period) -> list[_Group]:
    by_kind: dict[Kind, list[Limit]] = {Kind.RATE: [], Kind.PERIOD: [], Kind.LEVEL: []}
    for limit in limits:
        check_limit_value(limit.value)
        kind = limit.dimension.kind
        if limit.value is not None or (scope is LimitScope.TENANT and kind is not Kind.RATE):
            by_kind[kind].append(limit)
    names = {Kind.RATE: "rates", Kind.PERIOD: f"period:{period.id}", Kind.LEVEL: "leases"}
    return [
        (
            [int(kind), label, f"{root}:{names[kind]}", len(chosen), *_wire(chosen)],
            [PlannedMeter(scope, x) for x in chosen],
        )
        for kind, chosen in by_kind.items()
        if chosen
    ]


def _wire(limits: Iterable[Limit]) -> list[object]:
    return [value for limit in limits for value in _meter(limit)]


def _meter(limit: Limit) -> list[object]:
    value = UNLIMITED if limit.value is None else limit.value
    dimension = limit.dimension
    return [dimension.value, value, limit.hard, limit.version, dimension.window_us, int(dimension.unit)]
