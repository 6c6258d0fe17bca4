"""Forgetting old deliveries, and all of a tenant that is gone."""

from __future__ import annotations

from datetime import datetime, timedelta

from core.lifecycle import Moment, takes_part
from core.tenancy import TenantRef, tenant_scope
from tenants.models import WebhookDelivery
from tenants.webhooks.data import DeliveryState
from tenants.workspace.models import WebhookAttempt, WebhookMessage

KEEP = timedelta(days=30)
_OVER = (DeliveryState.DELIVERED, DeliveryState.FAILED)


def prune_webhooks(*, now: datetime, keep: timedelta = KEEP) -> int:
    """Delete deliveries that were over long ago, with their attempts and messages; how many."""
    old = WebhookDelivery.objects.filter(state__in=_OVER, finished_at__lt=now - keep)
    tenants = list(old.order_by().values_list("tenant_id", flat=True).distinct())
    deleted, _each = old.delete()
    for tenant_id in tenants:
        left = WebhookDelivery.objects.filter(tenant_id=tenant_id).values_list("message_id", flat=True)
        needed = set(left)
        with tenant_scope(TenantRef(tenant_id)):
            WebhookAttempt.objects.filter(at__lt=now - keep).delete()
            WebhookMessage.objects.filter(created_at__lt=now - keep).exclude(pk__in=needed).delete()
    return deleted


@takes_part(Moment.GONE, "webhooks")
def forget_deliveries(tenant_id: str, now: datetime) -> str:
    """Nothing is delivered any more; what the messages said goes with the schema."""
    deleted, _each = WebhookDelivery.objects.filter(tenant_id=tenant_id).delete()
    return f"{deleted} deliveries are forgotten"
