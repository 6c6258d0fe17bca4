"""What quotas does when a tenant's life turns; each may run twice."""

from __future__ import annotations

from datetime import datetime

from core.lifecycle import Moment, takes_part
from core.redis import control
from quotas.engine import upkeep


@takes_part(Moment.GONE, "quotas")
def forget_counters(tenant_id: str, now: datetime) -> str:
    """Its limits and alerts are rows, which the deletion takes away after this."""
    return f"{upkeep.forget_tenant(control(), tenant_id)} counters and marks"
