"""What billing does when a tenant's life turns; each may run twice."""

from __future__ import annotations

from datetime import datetime

from audit.api import SYSTEM
from billing.errors import UnknownPlan
from billing.metering.stream import entries_of
from billing.models import PendingCorrection
from billing.services.contracts import end_contract, subscribe_tenant
from core.lifecycle import Moment, NotYet, keeps, takes_part
from tenants.api import effective_profile, tenant_by_id

_BOOKS = "the law on accounting: what was used and charged, under the tenant's id and without a name"
for _table in ("subscription", "periodposition", "usageevent", "usagerollup"):
    keeps(f"billing_{_table}", _BOOKS)


@takes_part(Moment.BORN, "plan")
def begin_contract(tenant_id: str, now: datetime) -> str:
    """Put a new tenant on the plan that it was created with, or somebody has chosen since, or else its type's."""
    plan = tenant_by_id(tenant_id).plan
    if plan:
        subscribe_tenant(tenant_id=tenant_id, plan_code=plan, acting=SYSTEM, now=now)
        return f"subscribed to {plan}"
    return _begin_with_default(tenant_id, now)


def _begin_with_default(tenant_id: str, now: datetime) -> str:
    """A type's plan that is not for sale is the operator's to mend, and keeps no tenant from being born."""
    plan = effective_profile(tenant_id, now=now).default_plan
    if not plan:
        return "no plan was chosen"
    try:
        subscribe_tenant(tenant_id=tenant_id, plan_code=plan, acting=SYSTEM, now=now)
    except UnknownPlan:
        return f"no plan was chosen, and that of its type, {plan}, is not for sale"
    return f"subscribed to {plan}, the plan of its type"


@takes_part(Moment.GONE, "books")
def close_books(tenant_id: str, now: datetime) -> str:
    """Take in what was used to the last, then end the contract. The books stay."""
    waiting = entries_of(tenant_id)
    if waiting:
        raise NotYet(f"{waiting} usage events are on their way into the books")
    if PendingCorrection.objects.filter(tenant_id=tenant_id).exists():
        raise NotYet("a correction of its counters is on its way")
    ended = end_contract(tenant_id=tenant_id, acting=SYSTEM, now=now)
    return "its contract ended, its books are kept" if ended else "its books are kept"
