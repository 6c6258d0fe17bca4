"""Which limit holds: pure. Type profile, then plan, then the tenant's own override; the last one given decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from quotas.data import Dimension, EffectiveLimits, Limit, LimitSource, LimitStep
from tenants.data import KeyLimits, TenantType

_ONE = 1_000_000  # micro-units of one unit of money


def _profile(requests: int, tokens: int, tokens_month: int, money: int, concurrent: int) -> dict[Dimension, int]:
    return {
        Dimension.REQUESTS_PER_MINUTE: requests,
        Dimension.TOKENS_PER_MINUTE: tokens,
        Dimension.TOKENS_PER_MONTH: tokens_month,
        Dimension.MONEY_PER_MONTH: money * _ONE,
        Dimension.CONCURRENT_REQUESTS: concurrent,
    }


# What holds when no row says otherwise: nobody starts without limits.
BUILT_IN: Final[Mapping[TenantType, Mapping[Dimension, int]]] = {
    TenantType.INDIVIDUAL: _profile(60, 100_000, 5_000_000, 50, 5),
    TenantType.SMALL_BUSINESS: _profile(300, 500_000, 50_000_000, 500, 20),
    TenantType.EDUCATIONAL: _profile(600, 1_000_000, 200_000_000, 1_000, 50),
    TenantType.GOVERNMENT: _profile(1_500, 2_500_000, 1_000_000_000, 10_000, 100),
    TenantType.ENTERPRISE: _profile(3_000, 5_000_000, 2_000_000_000, 20_000, 200),
}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A stored limit. Inactive rows decide nothing; their revision still counts, so that alerts are armed again."""

    source: LimitSource
    label: str
    dimension: Dimension
    value: int | None
    hard: bool
    revision: int
    is_active: bool = True
    by: str = ""
    reason: str = ""
    expires_at: datetime | None = None


_ORDER = {source: place for place, source in enumerate(LimitSource)}


def resolve(tenant_id: str, tenant_type: TenantType, rows: Iterable[LimitRow]) -> EffectiveLimits:
    """The effective limit of every dimension and the way there; `rows` in any order."""
    ordered = sorted(rows, key=lambda row: _ORDER[row.source])
    limits: list[Limit] = []
    steps: dict[Dimension, tuple[LimitStep, ...]] = {}
    for dimension in Dimension:
        given = [row for row in ordered if row.dimension is dimension]
        start = LimitRow(LimitSource.BUILT_IN, tenant_type.value, dimension, BUILT_IN[tenant_type][dimension], True, 0)
        limit, steps[dimension] = _decide([start, *given])
        limits.append(limit)
    return EffectiveLimits(tenant_id, tuple(limits), steps)


def _decide(rows: list[LimitRow]) -> tuple[Limit, tuple[LimitStep, ...]]:
    place = max(index for index, row in enumerate(rows) if row.is_active)
    chosen = rows[place]
    version = max(row.revision for row in rows[place:])
    steps = tuple(_step(row, row is chosen) for row in rows if row.is_active)
    return Limit(chosen.dimension, chosen.value, chosen.hard, version, chosen.source), steps


def _step(row: LimitRow, applies: bool) -> LimitStep:
    return LimitStep(row.source, row.label, row.value, row.hard, applies, row.by, row.reason, row.expires_at)


def limits_of_key(limits: KeyLimits) -> tuple[Limit, ...]:
    """An API key's own limits as the engine takes them; empty when it has none."""
    pairs = (
        (Dimension.REQUESTS_PER_MINUTE, limits.requests_per_minute),
        (Dimension.TOKENS_PER_MINUTE, limits.tokens_per_minute),
    )
    return tuple(Limit(dimension, value, source=LimitSource.KEY) for dimension, value in pairs if value is not None)
