"""What billing does when a tenant's life turns; each may run twice."""

from __future__ import annotations

from datetime import datetime

from audit.api import SYSTEM
from billing.services.contracts import subscribe_tenant
from core.lifecycle import Moment, takes_part
from tenants.api import tenant_by_id


@takes_part(Moment.BORN, "plan")
def begin_contract(tenant_id: str, now: datetime) -> str:
    """Put a new tenant on the plan that it was created with, unless somebody has chosen another meanwhile."""
    plan = tenant_by_id(tenant_id).plan
    if not plan:
        return "no plan was chosen"
    subscribe_tenant(tenant_id=tenant_id, plan_code=plan, acting=SYSTEM, now=now)
    return f"subscribed to {plan}"
