"""Reading endpoints and deliveries: each in the tenant's own scope, whoever asks."""

from __future__ import annotations

from datetime import datetime

from core.tenancy import TenantRef, tenant_scope
from tenants.models import WebhookDelivery
from tenants.webhooks.data import AttemptFacts, DeliveryText, EndpointFacts
from tenants.webhooks.errors import DeliveryNotFound, EndpointNotFound
from tenants.workspace.models import WebhookAttempt, WebhookEndpoint, WebhookMessage

MOST_ATTEMPTS_SHOWN = 50


def endpoints_of(tenant_id: str, *, now: datetime) -> list[EndpointFacts]:
    """All, oldest first."""
    with tenant_scope(TenantRef(tenant_id)):
        return [endpoint_facts(row, now) for row in WebhookEndpoint.objects.order_by("created_at", "id")]


def endpoint_of(tenant_id: str, endpoint_id: str, *, now: datetime) -> EndpointFacts:
    """Raises EndpointNotFound."""
    with tenant_scope(TenantRef(tenant_id)):
        row = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
    if row is None:
        raise EndpointNotFound()
    return endpoint_facts(row, now)


def delivery_of(tenant_id: str, delivery_id: str) -> WebhookDelivery:
    """Raises DeliveryNotFound, for another tenant's too."""
    delivery: WebhookDelivery | None = WebhookDelivery.objects.filter(pk=delivery_id, tenant_id=tenant_id).first()
    if delivery is None:
        raise DeliveryNotFound()
    return delivery


def deliveries_of(tenant_id: str, endpoint_id: str = "", *, limit: int = 50) -> list[WebhookDelivery]:
    """The newest first."""
    rows = WebhookDelivery.objects.filter(tenant_id=tenant_id)
    rows = rows.filter(endpoint_id=endpoint_id) if endpoint_id else rows
    return list(rows.order_by("-created_at", "-id")[:limit])


def delivery_text(delivery: WebhookDelivery) -> DeliveryText:
    """What it says and what came of it: the tenant's own content."""
    with tenant_scope(TenantRef(delivery.tenant_id)):
        body = WebhookMessage.objects.filter(pk=delivery.message_id).values_list("body", flat=True).first()
        rows = WebhookAttempt.objects.filter(delivery_id=delivery.pk).order_by("-at", "-id")[:MOST_ATTEMPTS_SHOWN]
        attempts = tuple(AttemptFacts(row.at, row.status, row.took_ms, row.error, row.answer) for row in rows)
    return DeliveryText({"webhook-id": f"evt_{delivery.message_id}"}, body or "", attempts)


def endpoint_facts(row: WebhookEndpoint, now: datetime) -> EndpointFacts:
    ends = [datetime.fromisoformat(one["until"]) for one in row.secrets if one["until"]]
    return EndpointFacts(
        id=row.id,
        url=row.url,
        description=row.description,
        events=tuple(row.events),
        enabled=row.enabled,
        disabled_because=row.disabled_because,
        created_at=row.created_at,
        created_by=row.created_by,
        failing_since=row.failing_since,
        failures=row.failures,
        old_secret_until=next((end for end in ends if end > now), None),
    )
