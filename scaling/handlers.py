"""What scaling does when a tenant changes; each handler may run twice."""

from __future__ import annotations

from datetime import datetime

from core.clock import utc_now
from core.events import subscribe
from core.lifecycle import Moment, NotYet, takes_part
from scaling import loop, selectors, services
from tenants.api import TenantChanged, TenantNotFound, TenantStatus, tenant_by_id


@subscribe(TenantChanged)
def follow_tenant(event: TenantChanged) -> None:
    """Give a new tenant a policy; take a suspended or archived tenant's workers down without waiting for a tick."""
    now = utc_now()
    if event.status == TenantStatus.ACTIVE and _lives(event.tenant_id):
        services.ensure_policy(tenant_id=event.tenant_id, now=now)
    loop.settle_tenant(event.tenant_id, now=now)


def _lives(tenant_id: str) -> bool:
    """An event may be late: its tenant may have been deleted since."""
    try:
        return bool(tenant_by_id(tenant_id).is_active)
    except TenantNotFound:
        return False


@takes_part(Moment.BORN, "scaling")
def give_policy(tenant_id: str, now: datetime) -> str:
    policy = services.ensure_policy(tenant_id=tenant_id, now=now)
    return f"{policy.min_replicas} to {policy.max_replicas} workers"


@takes_part(Moment.STARTED, "workers")
def let_workers_start(tenant_id: str, now: datetime) -> str:
    services.ensure_policy(tenant_id=tenant_id, now=now)
    loop.settle_tenant(tenant_id, now=now)
    return "its policy decides again"


@takes_part(Moment.STOPPED, "workers")
def wait_for_workers(tenant_id: str, now: datetime) -> str:
    """Order none, and wait until none is seen."""
    loop.settle_tenant(tenant_id, now=now)
    fleet = selectors.fleet_or_none()
    left = len(fleet.tenants[tenant_id].workers) if fleet and tenant_id in fleet.tenants else 0
    if left:
        raise NotYet(f"{left} workers are left")
    return "no worker is left"


@takes_part(Moment.GONE, "workers")
def forget_workers(tenant_id: str, now: datetime) -> str:
    left = wait_for_workers(tenant_id, now)
    loop.forget_tenant(tenant_id)
    return f"{left}, and none will be ordered"
