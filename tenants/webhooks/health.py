"""How an endpoint is doing; disables one that answers nothing well for days, and writes to the tenant's owners."""

from __future__ import annotations

from datetime import datetime

from audit.api import SYSTEM, record
from core.ids import prefixed
from core.tenancy import TenantRef, platform_scope, tenant_scope
from mail.api import Letter, queue_mail
from tenants.data import Role
from tenants.models import Membership, Tenant, WebhookDelivery
from tenants.portals import portal_address
from tenants.proved_addresses import readers_among
from tenants.webhooks.data import DeliveryState
from tenants.webhooks.patience import is_hopeless
from tenants.workspace.models import WebhookEndpoint

# Why it was disabled: it answered badly for too long or its secret does not open, or it answered 410.
FAILING, GONE = "failing", "gone"


def note_success(tenant_id: str, endpoint_id: str) -> None:
    with tenant_scope(TenantRef(tenant_id)):
        failing = WebhookEndpoint.objects.filter(pk=endpoint_id, failures__gt=0)
        failing.update(failures=0, failing_since=None)


def note_failure(tenant_id: str, endpoint_id: str, *, gone: bool, now: datetime) -> None:
    """Count, in the caller's transaction, and disable when it is enough."""
    with tenant_scope(TenantRef(tenant_id)):
        endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id, enabled=True).first()
        if endpoint is None:
            return
        endpoint.failures += 1
        endpoint.failing_since = endpoint.failing_since or now
        hopeless = gone or is_hopeless(endpoint.failures, now - endpoint.failing_since)
        if hopeless:
            endpoint.enabled, endpoint.disabled_because = False, GONE if gone else FAILING
        endpoint.save(update_fields=["failures", "failing_since", "enabled", "disabled_because"])
    if hopeless:
        with platform_scope():
            hold_deliveries(tenant_id, endpoint_id)
            _tell(tenant_id, endpoint, now)


def note_unsignable(tenant_id: str, endpoint_id: str, now: datetime) -> None:
    """Disable an endpoint whose secret does not open, which waiting does not mend."""
    with tenant_scope(TenantRef(tenant_id)):
        endpoint = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id, enabled=True).first()
        if endpoint is None:
            return
        endpoint.enabled, endpoint.disabled_because = False, FAILING
        endpoint.save(update_fields=["enabled", "disabled_because"])
    with platform_scope():
        hold_deliveries(tenant_id, endpoint_id)
        _tell(tenant_id, endpoint, now)


def hold_deliveries(tenant_id: str, endpoint_id: str) -> None:
    waiting = WebhookDelivery.objects.filter(tenant_id=tenant_id, endpoint_id=endpoint_id, state=DeliveryState.WAITING)
    waiting.update(state=DeliveryState.HELD)


def _tell(tenant_id: str, endpoint: WebhookEndpoint, now: datetime) -> None:
    detail = {"because": endpoint.disabled_because, "failures": endpoint.failures}
    target = prefixed("whe", endpoint.id)
    record("webhooks.disable", actor=SYSTEM, tenant_id=tenant_id, target=target, detail=detail)
    tenant = Tenant.objects.get(pk=tenant_id)
    context = {
        "tenant": tenant.name,
        "url": endpoint.url,
        "gone": endpoint.disabled_because == GONE,
        "failures": endpoint.failures,
        "link": portal_address(tenant, f"/webhooks/{prefixed('whe', endpoint.id)}/"),
    }
    owners = Membership.objects.filter(tenant_id=tenant_id, role=Role.OWNER, user__is_active=True)
    addresses = dict(owners.exclude(user__email="").values_list("user_id", "user__email"))
    for account in sorted(readers_among(addresses)):
        address = addresses[account]
        queue_mail(Letter("webhook_disabled", address, "en", context, tenant_id=tenant_id), now=now)
