"""Hosts that one tenant has for itself: reserved and given back; places nobody, but whoever waits for them."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from audit.api import SYSTEM, Actor, record
from core.faults import fault_point
from core.ids import prefixed
from tenants.allocation.data import HostStanding
from tenants.allocation.errors import PoolInUse, PoolNotFound
from tenants.allocation.levels import dedicated_among
from tenants.allocation.taking import lock_pools
from tenants.allocation.waiting import drain
from tenants.data import TenantStatus
from tenants.errors import TenantNotFound, WrongStatus
from tenants.models import AllocationPart, CapacityPool, Tenant

_GOING = (TenantStatus.DELETING, TenantStatus.DELETED)


@transaction.atomic
def reserve_host(*, region: str, name: str, tenant_id: str | None, acting: Actor, now: datetime) -> None:
    """Keep all pools of a host for one tenant, or (None) for everybody who shares; who waits for them gets them.

    Raises PoolNotFound, TenantNotFound, WrongStatus, and PoolInUse while anything is given out of it.
    """
    if tenant_id is not None:
        _check(tenant_id)
    lock_pools(region)
    host = [pool for pool in lock_pools(region).values() if pool.name == name]  # with what came while we waited
    if not host:
        raise PoolNotFound()
    changing = [pool for pool in host if pool.reserved_for != (tenant_id or "")]
    if not changing:
        return
    if any(pool.used for pool in changing):
        raise PoolInUse("Something is given out of this host", next_step="Close its pools, and release what is left")
    CapacityPool.objects.filter(pk__in=[pool.id for pool in changing]).update(reserved_for=tenant_id)
    fault_point("tenants.allocation.reserved")
    record(
        "capacity.reserve_host",
        actor=acting,
        tenant_id=None,
        target=f"{region}/{name}",
        before=_shown(changing[0].reserved_for),
        after=_shown(tenant_id),
    )
    drain(region, lock_pools(region), now=now)


def give_up_hosts(*, tenant_id: str, now: datetime) -> None:
    """A deleted tenant's hosts are everybody's again; it holds nothing of them any more."""
    hosts = set(CapacityPool.objects.filter(reserved_for=tenant_id).values_list("region", "name"))
    for region, name in sorted(hosts):
        reserve_host(region=region, name=name, tenant_id=None, acting=SYSTEM, now=now)


def host_standing(tenant_id: str, *, now: datetime) -> HostStanding:
    """Where a tenant's resources are, as the tables say, and whose those hosts are."""
    mine = CapacityPool.objects.filter(parts__tenant_id=tenant_id).order_by("region", "name")
    places = {f"{pool.region}/{pool.name}": pool.reserved_for_id for pool in mine}
    others = AllocationPart.objects.filter(pool__reserved_for=tenant_id).exclude(tenant_id=tenant_id)
    return HostStanding(
        dedicated=tenant_id in dedicated_among([tenant_id], now=now),
        hosts=tuple(places),
        shared=tuple(place for place, owner in places.items() if owner != tenant_id),
        foreign=tuple(place for place, owner in places.items() if owner not in (None, tenant_id)),
        intruders=others.values("tenant_id").distinct().count(),
    )


def regions_reserved_for(tenant_id: str) -> set[str]:
    return set(CapacityPool.objects.filter(reserved_for=tenant_id).values_list("region", flat=True))


def reservation_of(region: str, name: str) -> str | None:
    """For whom that host is; None where it is for everybody, or not there."""
    taken = CapacityPool.objects.filter(region=region, name=name).exclude(reserved_for=None)
    return taken.values_list("reserved_for_id", flat=True).first()


def _check(tenant_id: str) -> None:
    tenant = Tenant.objects.filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    if tenant.status in _GOING:
        raise WrongStatus("A tenant that is being deleted gets no host")


def _shown(tenant_id: str | None) -> dict[str, str | None]:
    return {"reserved_for": prefixed("ten", tenant_id) if tenant_id else None}
