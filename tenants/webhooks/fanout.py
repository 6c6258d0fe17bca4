"""From an event to its deliveries: one for each endpoint that has asked for it, however often the event arrives."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import transaction

from core.events import subscribe
from core.faults import fault_point
from core.ids import prefixed
from core.tenancy import TenantRef, platform_scope, tenant_scope
from tenants.bells import wake_webhooks
from tenants.data import TenantStatus
from tenants.models import Tenant, WebhookDelivery
from tenants.services.deletion import is_on_its_way_out
from tenants.webhooks.data import VERSION, Announced
from tenants.workspace.models import WebhookEndpoint, WebhookMessage


@subscribe(Announced)
def fan_out(event: Announced) -> None:
    """Write message and deliveries down. May run twice: the message's id and the pair with an endpoint are unique."""
    if not _can_be_told(event.tenant_id):
        return
    with tenant_scope(TenantRef(event.tenant_id)):
        endpoints = [
            endpoint.id
            for endpoint in WebhookEndpoint.objects.filter(enabled=True)
            if not endpoint.events or event.name in endpoint.events
        ]
    send_to(event, endpoints)


def _can_be_told(tenant_id: str) -> bool:
    """Also one that is to be deleted, until its content begins to go."""
    status = Tenant.objects.filter(pk=tenant_id).values_list("status", flat=True).first()
    if status == TenantStatus.DELETING:
        return is_on_its_way_out(tenant_id)
    return status not in (None, TenantStatus.DELETED)


def send_to(event: Announced, endpoints: list[str]) -> None:
    """Write down that the event goes to those endpoints, in the caller's transaction."""
    if not endpoints:
        return
    at = datetime.fromisoformat(event.at)
    with tenant_scope(TenantRef(event.tenant_id)):
        message = WebhookMessage(id=event.id, event=event.name, body=body_of(event), created_at=at)
        WebhookMessage.objects.bulk_create([message], ignore_conflicts=True)
    fault_point("webhooks.message_stored")
    with platform_scope():
        WebhookDelivery.objects.bulk_create(
            [
                WebhookDelivery(
                    tenant_id=event.tenant_id,
                    endpoint_id=endpoint,
                    message_id=event.id,
                    event=event.name,
                    due_at=at,
                    created_at=at,
                )
                for endpoint in endpoints
            ],
            ignore_conflicts=True,
        )
    transaction.on_commit(wake_webhooks)


def body_of(event: Announced) -> str:
    """The text that is signed and sent."""
    body: dict[str, Any] = {
        "type": event.name,
        "version": VERSION,
        "timestamp": event.at,
        "tenant": prefixed("ten", event.tenant_id),
        "data": event.data,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
