"""Reads of the quotas app: limits as they were set and as they hold, meters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from core.redis import control
from quotas.data import Dimension, EffectiveLimits, LimitSource, MeterReading, SetLimit, StoredLimits
from quotas.engine import upkeep
from quotas.engine.blocking import BlockingQuotaEngine
from quotas.models import PlanLimit, StoredLimit, TenantLimit, TypeLimit
from quotas.policies import LimitRow, resolve
from tenants.api import TenantFacts, tenant_by_id, tenant_facts


def effective_limits(tenant_id: str, *, now: datetime) -> EffectiveLimits:
    """What holds for a tenant at `now`, and why (`steps`); raises TenantNotFound."""
    facts = tenant_facts(tenant_by_id(tenant_id))
    own = TenantLimit.objects.filter(tenant_id=tenant_id)
    types = TypeLimit.objects.filter(tenant_type=facts.type)
    return _resolve(facts, types, PlanLimit.objects.filter(plan=facts.plan), own, now)


def stored_limits() -> StoredLimits:
    """Every limit as it was set, not what they come to; in three queries. Cleared ones are left out."""
    return StoredLimits(
        of_types=_by_owner((row.tenant_type, row) for row in TypeLimit.objects.all()),
        of_plans=_by_owner((row.plan, row) for row in PlanLimit.objects.all()),
        of_tenants=_by_owner((row.tenant_id, row) for row in TenantLimit.objects.filter(is_active=True)),
    )


def _by_owner(rows: Iterable[tuple[str, StoredLimit]]) -> dict[str, dict[Dimension, SetLimit]]:
    found: dict[str, dict[Dimension, SetLimit]] = {}
    for owner, row in rows:
        found.setdefault(owner, {})[Dimension(row.dimension)] = _set(row)
    return found


def _set(row: StoredLimit) -> SetLimit:
    if isinstance(row, TenantLimit):
        return SetLimit(row.value, row.hard, row.expires_at, row.reason)
    return SetLimit(row.value, row.hard)


def _resolve(
    facts: TenantFacts,
    types: Iterable[TypeLimit],
    plans: Iterable[PlanLimit],
    own: Iterable[TenantLimit],
    now: datetime,
) -> EffectiveLimits:
    rows = [
        *(_row(limit, LimitSource.TENANT_TYPE, facts.type.value) for limit in types),
        *(_row(limit, LimitSource.PLAN, facts.plan) for limit in plans),
        *(_own_row(limit, facts.slug, now) for limit in own),
    ]
    return resolve(facts.id, facts.type, rows)


def _row(limit: StoredLimit, source: LimitSource, label: str) -> LimitRow:
    return LimitRow(source, label, Dimension(limit.dimension), limit.value, limit.hard, limit.revision)


def _own_row(limit: TenantLimit, label: str, now: datetime) -> LimitRow:
    return replace(
        _row(limit, LimitSource.OVERRIDE, label),
        is_active=limit.is_active and (limit.expires_at is None or limit.expires_at > now),
        by=limit.set_by,
        reason=limit.reason,
        expires_at=limit.expires_at,
    )


def usage_of(tenant_id: str, *, now: datetime) -> tuple[MeterReading, ...]:
    """The tenant's meters as Redis counts them; raises TenantNotFound, Unavailable when Redis is away."""
    return BlockingQuotaEngine(control()).peek(effective_limits(tenant_id, now=now), now=now)


def open_reservations(tenant_id: str) -> int:
    """How many of the tenant's requests are neither settled nor given back; raises Unavailable when Redis is away."""
    return upkeep.open_reservations(control(), tenant_id)
