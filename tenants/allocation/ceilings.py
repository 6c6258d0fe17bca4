"""What a tenant's profile grants, as an allocation of its own that follows the profile; owns no amount."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from audit.api import SYSTEM
from tenants.allocation.allocator import CEILING, allocate, release, resize
from tenants.allocation.data import AllocationState, ResourceKind, amounts_of, by_kind
from tenants.allocation.levels import dedicated_among
from tenants.allocation.selectors import wanted_by
from tenants.allocation.taking import lock_regions
from tenants.data import IsolationLevel, TenantStatus
from tenants.models import Allocation, Tenant
from tenants.profiles.effective import effective_profile, effective_profiles


def follow_ceiling(tenant_id: str, *, now: datetime) -> Allocation | None:
    """Ask for what the profile grants now; the allocation, or None where that is nothing. Raises TenantNotFound.

    Where an operator has released it, it stays so.
    """
    amounts = effective_profile(tenant_id, now=now).ceiling
    row = Allocation.objects.filter(tenant_id=tenant_id, request_key=CEILING).order_by("-id").first()
    if row is None and by_kind(amounts):
        return allocate(tenant_id=tenant_id, request_key=CEILING, amounts=amounts, acting=SYSTEM, now=now)
    if row is None or row.state == AllocationState.RELEASED:
        return None
    if not by_kind(amounts):
        return release(tenant_id=tenant_id, allocation_id=row.id, acting=SYSTEM, now=now)
    if wanted_by(row) != by_kind(amounts):
        return resize(tenant_id=tenant_id, allocation_id=row.id, amounts=amounts, acting=SYSTEM, now=now)
    return row


@transaction.atomic
def follow_isolation(tenant_id: str, *, now: datetime) -> int:
    """Move everything that the tenant holds to where its isolation level wants it; how many allocations that were.

    What finds no room there waits, and holds nothing meanwhile.
    """
    dedicated = tenant_id in dedicated_among([tenant_id], now=now)
    rows = Allocation.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, dedicated=not dedicated)
    misplaced = list(rows.exclude(state=AllocationState.RELEASED).order_by("id"))
    lock_regions({row.region for row in misplaced})
    for row in misplaced:
        amounts = amounts_of(wanted_by(row))
        resize(tenant_id=tenant_id, allocation_id=row.id, amounts=amounts, acting=SYSTEM, now=now)
    return len(misplaced)


def follow_profiles(*, now: datetime, most: int = 200) -> int:
    """For what no event told: profiles of whole types, and tenants from before there were allocations.

    Returns how many tenants were given something else than they had, or their first.
    """
    active = list(Tenant.objects.filter(status=TenantStatus.ACTIVE).values_list("pk", flat=True))
    known = {row.tenant_id: row for row in Allocation.objects.filter(request_key=CEILING).order_by("id")}
    levels = set(_live().values_list("tenant_id", "dedicated"))
    differing = [
        tenant_id
        for tenant_id, profile in effective_profiles(active, now=now).items()
        if _differs(known.get(tenant_id), by_kind(profile.ceiling))
        or (tenant_id, profile.isolation is not IsolationLevel.DEDICATED) in levels
    ]
    for tenant_id in differing[:most]:
        follow_isolation(tenant_id, now=now)
        follow_ceiling(tenant_id, now=now)
    return len(differing[:most])


def _live() -> QuerySet[Allocation]:
    return Allocation.objects.exclude(state=AllocationState.RELEASED)


def _differs(row: Allocation | None, wanted: dict[ResourceKind, int]) -> bool:
    if row is None:
        return bool(wanted)
    return row.state != AllocationState.RELEASED and wanted_by(row) != wanted
