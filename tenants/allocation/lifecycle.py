"""What allocation does at the turns of a tenant's life; each part may run again with the same end."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from audit.api import SYSTEM
from core.clock import utc_now
from core.events import subscribe
from core.lifecycle import Moment, takes_part
from tenants.allocation.allocator import release
from tenants.allocation.ceilings import follow_ceiling, follow_isolation
from tenants.allocation.data import AllocationState
from tenants.allocation.hosts import give_up_hosts, regions_reserved_for
from tenants.allocation.taking import lock_regions
from tenants.data import TenantChanged, TenantStatus
from tenants.models import Allocation, Tenant


@takes_part(Moment.BORN, "capacity")
def give_ceiling(tenant_id: str, now: datetime) -> str:
    """What the profile grants; a tenant that has to wait for it is there all the same."""
    row = follow_ceiling(tenant_id, now=now)
    return row.reason if row else "its profile grants nothing"


@takes_part(Moment.GONE, "capacity")
@transaction.atomic
def give_everything_back(tenant_id: str, now: datetime) -> str:
    """Others get it at once. The rows go too; what was held when is in the audit log.

    All of them are locked before the first pool is: who holds a pool waits for no row.
    """
    rows = list(Allocation.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id).order_by("id"))
    held = [row for row in rows if row.state != AllocationState.RELEASED]
    lock_regions({*(row.region for row in held), *regions_reserved_for(tenant_id)})
    for row in held:
        release(tenant_id=tenant_id, allocation_id=row.id, acting=SYSTEM, now=now)
    Allocation.objects.filter(tenant_id=tenant_id).delete()
    give_up_hosts(tenant_id=tenant_id, now=now)
    return f"{len(held)} allocations were released"


@subscribe(TenantChanged)
def follow_tenant(event: TenantChanged) -> None:
    """Another type, plan or override may grant something else. The event may be late: what counts is the status now."""
    if Tenant.objects.filter(pk=event.tenant_id, status=TenantStatus.ACTIVE).exists():
        follow_isolation(event.tenant_id, now=utc_now())
        follow_ceiling(event.tenant_id, now=utc_now())
