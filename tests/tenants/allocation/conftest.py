"""What the tests of allocation share: pools, requests, and the sum that must always be right."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from core.clock import utc_now
from tenants.allocation.allocator import allocate
from tenants.allocation.data import ResourceKind
from tenants.allocation.pools import add_pool
from tenants.allocation.selectors import miscounted_pools
from tenants.data import ResourceAmounts
from tenants.models import Allocation, CapacityPool, Tenant
from tests.cast import TESTER

CPU, MEMORY, GPU, SLOTS = (
    ResourceKind.CPU_MILLICORES,
    ResourceKind.MEMORY_MIB,
    ResourceKind.GPUS,
    ResourceKind.WORKER_SLOTS,
)


def pool(kind: ResourceKind, capacity: int, *, name: str = "main", ratio: str = "1", **more: Any) -> CapacityPool:
    return add_pool(
        region=more.pop("region", "local"),
        name=name,
        kind=kind,
        capacity=capacity,
        oversubscription=Decimal(ratio),
        acting=TESTER,
        now=utc_now(),
        **more,
    )


def ask(tenant: Tenant, key: str = "work", *, priority: int = 0, region: str = "", **amounts: int) -> Allocation:
    return allocate(
        tenant_id=tenant.id,
        request_key=key,
        amounts=ResourceAmounts(**amounts),
        acting=TESTER,
        now=utc_now(),
        priority=priority,
        region=region,
    )


def used(pool: CapacityPool) -> int:
    """What is given out of it; asked together with whether the count is that of the parts."""
    assert miscounted_pools() == []
    return CapacityPool.objects.get(pk=pool.pk).used
