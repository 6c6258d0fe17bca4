"""What allocations come to for a tenant's workers: how many may run, and what they may take together; reads only."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from django.db.models import Q

from tenants.allocation.allocator import CEILING
from tenants.allocation.data import AllocationState, ResourceKind, amounts_of, by_kind
from tenants.allocation.hosts import reservation_of
from tenants.allocation.machine import HOST, REGION
from tenants.allocation.selectors import holdings_of, wanted_by
from tenants.data import EffectiveProfile, ResourceAmounts
from tenants.models import Allocation, AllocationPart, CapacityPool

_HERE = Q(pool__region=REGION, pool__name=HOST)


def worker_slots(tenant_ids: Collection[str]) -> dict[str, int]:
    """How many workers each of them may run, where worker slots are rationed; who is not in it is not bound by slots.

    A tenant that never had an allocation is not bound: it is given its part by the next round of upkeep.
    """
    return _slots(tenant_ids, Q())


def worker_slots_here(tenant_ids: Collection[str]) -> dict[str, int]:
    """The same where all workers run on this machine: slots on other reserved hosts are worth nothing here.

    While this machine is reserved for one tenant, nobody else has any.
    """
    slots = _slots(tenant_ids, Q(pool__reserved_for=None) | _HERE)
    owner = reservation_of(REGION, HOST)
    return slots | {key: 0 for key in tenant_ids if owner is not None and key != owner}


def _slots(tenant_ids: Collection[str], where: Q) -> dict[str, int]:
    regions = CapacityPool.objects.filter(kind=ResourceKind.WORKER_SLOTS).values("region")
    rows = Allocation.objects.filter(tenant_id__in=tenant_ids, region__in=regions)
    slots = dict.fromkeys(rows.values_list("tenant_id", flat=True), 0)
    parts = AllocationPart.objects.filter(where, tenant_id__in=slots, kind=ResourceKind.WORKER_SLOTS)
    for tenant_id, amount in parts.values_list("tenant_id", "amount"):
        slots[tenant_id] += amount
    return slots


def granted_amounts(profiles: Mapping[str, EffectiveProfile]) -> dict[str, ResourceAmounts]:
    """What each of these tenants may take in all: its profile's ceiling, and what it has under other names.

    A kind of which the ceiling has 0 is not limited, so that more of it is no limit either; 0 GPUs are none.
    """
    more = _further(profiles)
    return {key: _with(profile.ceiling, more[key]) for key, profile in profiles.items()}


def _further(tenant_ids: Collection[str]) -> defaultdict[str, Counter[ResourceKind]]:
    """What they have beyond the ceiling; of what still grows only what is there."""
    placed = Allocation.objects.filter(state__in=[AllocationState.HELD, AllocationState.GROWING])
    rows = list(placed.filter(tenant_id__in=tenant_ids).exclude(request_key=CEILING))
    held = holdings_of(row for row in rows if row.state == AllocationState.GROWING)
    found: defaultdict[str, Counter[ResourceKind]] = defaultdict(Counter)
    for row in rows:
        growing = {kind: holding.amount for kind, holding in held.get(row.pk, {}).items()}
        found[row.tenant_id].update(wanted_by(row) if row.state == AllocationState.HELD else growing)
    return found


def _with(ceiling: ResourceAmounts, more: Mapping[ResourceKind, int]) -> ResourceAmounts:
    counts = {*by_kind(ceiling), ResourceKind.GPUS}
    return amounts_of({kind: getattr(ceiling, kind.value) + more.get(kind, 0) for kind in counts})
