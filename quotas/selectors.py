"""Reads of the quotas app: effective limits with their explanation, meters, alerts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from core.redis import control
from quotas.data import Alert, Dimension, EffectiveLimits, LimitSource, MeterReading
from quotas.engine.blocking import BlockingQuotaEngine
from quotas.models import PlanLimit, QuotaAlert, StoredLimit, TenantLimit, TypeLimit
from quotas.policies import LimitRow, resolve
from tenants.api import TenantFacts, all_tenant_facts, tenant_by_id, tenant_facts


def effective_limits(tenant_id: str) -> EffectiveLimits:
    """What holds for a tenant, and why (`steps`); raises TenantNotFound."""
    facts = tenant_facts(tenant_by_id(tenant_id))
    own = TenantLimit.objects.filter(tenant_id=tenant_id)
    types = TypeLimit.objects.filter(tenant_type=facts.type)
    return _resolve(facts, types, PlanLimit.objects.filter(plan=facts.plan), own)


def all_effective_limits() -> list[EffectiveLimits]:
    """The same for every tenant, in four queries."""
    types: dict[str, list[TypeLimit]] = defaultdict(list)
    plans: dict[str, list[PlanLimit]] = defaultdict(list)
    own: dict[str, list[TenantLimit]] = defaultdict(list)
    for type_limit in TypeLimit.objects.all():
        types[type_limit.tenant_type].append(type_limit)
    for plan_limit in PlanLimit.objects.all():
        plans[plan_limit.plan].append(plan_limit)
    for tenant_limit in TenantLimit.objects.all():
        own[tenant_limit.tenant_id].append(tenant_limit)
    return [_resolve(facts, types[facts.type], plans[facts.plan], own[facts.id]) for facts in all_tenant_facts()]


def _resolve(
    facts: TenantFacts, types: Iterable[TypeLimit], plans: Iterable[PlanLimit], own: Iterable[TenantLimit]
) -> EffectiveLimits:
    rows = [
        *(_row(limit, LimitSource.TENANT_TYPE, facts.type.value) for limit in types),
        *(_row(limit, LimitSource.PLAN, facts.plan) for limit in plans),
        *(_row(limit, LimitSource.OVERRIDE, facts.slug, limit.is_active) for limit in own),
    ]
    return resolve(facts.id, facts.type, rows)


def _row(limit: StoredLimit, source: LimitSource, label: str, is_active: bool = True) -> LimitRow:
    dimension = Dimension(limit.dimension)
    return LimitRow(source, label, dimension, limit.value, limit.hard, limit.revision, is_active)


def usage_of(tenant_id: str, *, now: datetime) -> tuple[MeterReading, ...]:
    """The tenant's meters as Redis counts them; raises TenantNotFound, Unavailable when Redis is away."""
    return BlockingQuotaEngine(control()).peek(effective_limits(tenant_id), now=now)


def recent_alerts(tenant_id: str, *, limit: int = 50) -> list[Alert]:
    """Thresholds that a tenant reached, newest first."""
    rows = QuotaAlert.objects.filter(tenant_id=tenant_id).order_by("-reached_at", "-threshold")[:limit]
    return [
        Alert(
            tenant_id=row.tenant_id,
            scope=row.scope,
            dimension=Dimension(row.dimension),
            period=row.period,
            threshold=row.threshold,
            limit=row.limit,
            level=row.level,
            reached_at=row.reached_at,
        )
        for row in rows
    ]
