"""What a tenant's workers are granted in a cluster, from its profile and its scaling policy; reads, writes nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from core.tenancy.celery import queue_of
from scaling.backends.kubernetes.manifests import Workload
from scaling.models import ScalingTarget
from tenants.api import TenantFacts, effective_profiles


def workloads_of(tenants: Collection[TenantFacts], *, now: datetime) -> list[Workload]:
    """One for each of them, in their order."""
    ids = [facts.id for facts in tenants]
    profiles = effective_profiles(ids, now=now)
    targets = dict(ScalingTarget.objects.filter(pk__in=ids).values_list("tenant_id", "replicas"))
    return [
        Workload(
            tenant_id=facts.id,
            slug=facts.slug,
            queue=queue_of(facts.id),
            replicas=max(targets.get(facts.id, 0), profiles[facts.id].scaling.min_replicas),
            slots=profiles[facts.id].ceiling.worker_slots,
            cpu_millicores=profiles[facts.id].ceiling.cpu_millicores,
            memory_mib=profiles[facts.id].ceiling.memory_mib,
            storage_mib=profiles[facts.id].ceiling.storage_mib,
            gpus=profiles[facts.id].ceiling.gpus,
        )
        for facts in tenants
    ]
