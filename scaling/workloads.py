"""What a tenant's workers are granted in a cluster, from its profile and its scaling policy; reads, writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from core.tenancy.celery import queue_of
from scaling.backends.kubernetes.manifests import Workload
from scaling.models import ScalingTarget
from scaling.shares import share_of
from tenants.api import (
    EffectiveProfile,
    IsolationLevel,
    ResourceAmounts,
    TenantFacts,
    effective_profiles,
    granted_amounts,
    worker_slots,
)


def workloads_of(tenants: Collection[TenantFacts], *, now: datetime) -> list[Workload]:
    """One for each of them, in their order."""
    ids = [facts.id for facts in tenants]
    profiles = effective_profiles(ids, now=now)
    targets = dict(ScalingTarget.objects.filter(pk__in=ids).values_list("tenant_id", "replicas"))
    allotted, granted = worker_slots(ids), granted_amounts(profiles)
    return [
        _workload(facts, profiles[facts.id], granted[facts.id], targets.get(facts.id, 0), allotted.get(facts.id))
        for facts in tenants
    ]


def _workload(
    facts: TenantFacts, profile: EffectiveProfile, granted: ResourceAmounts, target: int, allotted: int | None
) -> Workload:
    share = share_of(granted, most=profile.scaling.max_replicas)
    slots = share.workers if allotted is None else min(share.workers, allotted)
    return Workload(
        tenant_id=facts.id,
        slug=facts.slug,
        queue=queue_of(facts.id),
        replicas=min(max(target, profile.scaling.min_replicas), slots),
        ceiling=granted,
        share=share,
        dedicated=profile.isolation is IsolationLevel.DEDICATED,
    )
