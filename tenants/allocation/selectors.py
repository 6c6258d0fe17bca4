"""Reads of resource allocation; what a tenant may know of its own comes without pools and without reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from django.db.models import Q, QuerySet, Sum

from tenants.allocation.data import (
    AllocationFacts,
    AllocationState,
    Applicant,
    Holding,
    OwnAllocation,
    PoolFacts,
    ResourceKind,
    amounts_of,
)
from tenants.allocation.errors import AllocationNotFound, PoolNotFound
from tenants.allocation.levels import applicant_of
from tenants.allocation.taking import pool_facts
from tenants.models import Allocation, AllocationPart, CapacityPool

_OWN = (
    "id",
    "request_key",
    "region",
    "state",
    "asked_at",
    "waiting_since",
    "placed_at",
    *(kind.value for kind in ResourceKind),
)


def all_pools() -> list[PoolFacts]:
    """Every pool, by region and host, in the order in which kinds are listed everywhere."""
    order = {kind: number for number, kind in enumerate(ResourceKind)}
    pools = [pool_facts(pool) for pool in CapacityPool.objects.all()]
    return sorted(pools, key=lambda pool: (pool.region, pool.name, order[pool.kind]))


def pool_by_id(pool_id: str) -> PoolFacts:
    """One pool; raises PoolNotFound."""
    pool = CapacityPool.objects.filter(pk=pool_id).first()
    if pool is None:
        raise PoolNotFound()
    return pool_facts(pool)


def allocation_by_id(tenant_id: str, allocation_id: str) -> Allocation:
    """One of that tenant's; raises AllocationNotFound."""
    found = Allocation.objects.filter(pk=allocation_id, tenant_id=tenant_id).first()
    if found is None:
        raise AllocationNotFound()
    return found


def waiting_list(region: str = "") -> QuerySet[Allocation]:
    """Who waits, in the order in which it is their turn; of one region, or of all, one after the other."""
    rows = Allocation.objects.filter(waiting_since__isnull=False)
    rows = rows.filter(region=region) if region else rows
    return rows.order_by("region", "-priority", "waiting_since", "id")


def short_in_front_of(region: str, who: Applicant, *, priority: int, but: str = "") -> list[frozenset[ResourceKind]]:
    """What those are short of who wait for the same hosts in front of somebody of that priority; `but` is left out."""
    rows = _same_queue(waiting_list(region), who).filter(priority__gte=priority).exclude(pk=but)
    lists = rows.order_by().values_list("short_of", flat=True).distinct()  # few, however many wait
    return [frozenset(ResourceKind(kind) for kind in short) for short in lists]


def _same_queue(rows: QuerySet[Allocation], who: Applicant) -> QuerySet[Allocation]:
    """Those that wait for the hosts that `who` waits for."""
    return rows.filter(dedicated=True, tenant_id=who.tenant_id) if who.dedicated else rows.filter(dedicated=False)


def wanted_by(allocation: Allocation) -> dict[ResourceKind, int]:
    """What it is to hold in the end."""
    return {kind: getattr(allocation, kind.value) for kind in ResourceKind if getattr(allocation, kind.value)}


def holdings_of(allocations: Iterable[Allocation]) -> dict[str, dict[ResourceKind, Holding]]:
    """What each of them holds, by its id and kind; in one query."""
    found: dict[str, dict[ResourceKind, Holding]] = defaultdict(dict)
    parts = AllocationPart.objects.select_related("pool").filter(allocation__in=[row.pk for row in allocations])
    for part in parts:
        kind = ResourceKind(part.kind)
        found[part.allocation_id][kind] = Holding(kind, part.pool_id, part.pool.name, part.amount)
    return found


def facts_of(allocations: Iterable[Allocation]) -> list[AllocationFacts]:
    """Everything about each, for operators; in two queries for all of them and one more for each that waits."""
    rows = list(allocations)
    held = holdings_of(rows)
    return [_facts(row, held.get(row.pk, {})) for row in rows]


def _facts(row: Allocation, held: Mapping[ResourceKind, Holding]) -> AllocationFacts:
    return AllocationFacts(
        id=row.id,
        tenant_id=row.tenant_id,
        request_key=row.request_key,
        region=row.region,
        state=AllocationState(row.state),
        wanted=amounts_of(wanted_by(row)),
        held=amounts_of({kind: holding.amount for kind, holding in held.items()}),
        holdings=tuple(held[kind] for kind in ResourceKind if kind in held),
        sentence=row.reason,
        priority=row.priority,
        ahead=_in_front_of(row),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        waiting_since=row.waiting_since,
        placed_at=row.placed_at,
        released_at=row.released_at,
    )


def _in_front_of(row: Allocation) -> int:
    if row.waiting_since is None:
        return 0
    earlier = Q(waiting_since__lt=row.waiting_since) | Q(waiting_since=row.waiting_since, id__lt=row.id)
    in_front = Q(priority__gt=row.priority) | (Q(priority=row.priority) & earlier)
    return _same_queue(waiting_list(row.region), applicant_of(row)).filter(in_front).count()


def own_allocations(tenant_id: str) -> list[OwnAllocation]:
    """What a tenant has and waits for, oldest first; also in the tenant's own scope."""
    rows = Allocation.objects.filter(tenant_id=tenant_id).exclude(state=AllocationState.RELEASED).order_by("id")
    held: dict[str, dict[ResourceKind, int]] = defaultdict(dict)
    parts = AllocationPart.objects.filter(tenant_id=tenant_id)
    for allocation_id, kind, amount in parts.values_list("allocation_id", "kind", "amount"):
        held[allocation_id][ResourceKind(kind)] = amount
    return [
        OwnAllocation(
            id=row["id"],
            request_key=row["request_key"],
            region=row["region"],
            state=AllocationState(row["state"]),
            wanted=amounts_of({kind: row[kind.value] for kind in ResourceKind}),
            held=amounts_of(held[row["id"]]),
            asked_at=row["asked_at"],
            waiting_since=row["waiting_since"],
            placed_at=row["placed_at"],
        )
        for row in rows.values(*_OWN)
    ]


def miscounted_pools() -> list[str]:
    """Pools whose count differs from what is held of them: none, unless somebody wrote past this room."""
    rows = CapacityPool.objects.annotate(held=Sum("parts__amount", default=0))
    return [pool.id for pool in rows if pool.held != pool.used]
