"""What scaling does when a tenant changes; each handler may run twice."""

from __future__ import annotations

from datetime import datetime

from core.clock import utc_now
from core.events import subscribe
from core.lifecycle import Moment, takes_part
from scaling import loop, services
from tenants.api import TenantChanged, TenantStatus


@subscribe(TenantChanged)
def follow_tenant(event: TenantChanged) -> None:
    """Give a new tenant a policy; take a suspended or archived tenant's workers down without waiting for a tick."""
    now = utc_now()
    if event.status == TenantStatus.ACTIVE:
        services.ensure_policy(tenant_id=event.tenant_id, now=now)
    loop.settle_tenant(event.tenant_id, now=now)


@takes_part(Moment.BORN, "scaling")
def give_policy(tenant_id: str, now: datetime) -> str:
    policy = services.ensure_policy(tenant_id=tenant_id, now=now)
    return f"{policy.min_replicas} to {policy.max_replicas} workers"
