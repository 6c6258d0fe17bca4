"""What quotas does when a tenant's life turns or its use passes a threshold; each may run twice."""

from __future__ import annotations

from datetime import datetime

from core.clock import utc_now
from core.events import subscribe
from core.lifecycle import Moment, takes_part
from core.redis import control
from mail.api import Letter, queue_mail
from quotas.data import ThresholdReached
from quotas.engine import upkeep
from quotas.models import QuotaAlert
from quotas.values import shown_value
from tenants.api import TenantNotFound, find_account, portal_address, readers_among, setting_of, tenant_by_id

_LABELS = dict(QuotaAlert._meta.get_field("dimension").flatchoices)


@subscribe(ThresholdReached)
def write_to_recipients(event: ThresholdReached) -> None:
    """By mail, to whom the tenant's settings name; not to accounts that never confirmed to read mail there."""
    try:
        tenant = tenant_by_id(event.tenant_id)
    except TenantNotFound:
        return  # it was deleted meanwhile
    context = {
        "tenant": tenant.name,
        "dimension": str(_LABELS.get(event.dimension, event.dimension)),
        "threshold": event.threshold,
        "used": str(shown_value(event.dimension, event.used)),
        "limit": str(shown_value(event.dimension, event.limit)),
        "period": event.period,
        "link": portal_address(tenant, "/usage/"),
    }
    for address in setting_of(tenant.id, "alerts.recipients"):
        account = find_account(address)
        if account is not None and not readers_among([account.pk]):
            continue
        queue_mail(Letter("quota_alert", address, "en", context, tenant_id=tenant.id), now=utc_now())


@takes_part(Moment.GONE, "quotas")
def forget_counters(tenant_id: str, now: datetime) -> str:
    """Its limits and alerts are rows, which the deletion takes away after this."""
    return f"{upkeep.forget_tenant(control(), tenant_id)} counters and marks"
