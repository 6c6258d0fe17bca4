"""Endpoints and their secrets, and sending again; owns that a whole secret leaves this module once.

What a tenant entered is in its own schema, deliveries are in the shared queue: each write enters the scope it needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, fingerprint, record
from core.errors import InvalidInput
from core.http import UrlPolicy, check_url, tenant_policy
from core.ids import new_ulid, prefixed
from core.locks import wait_turn
from core.tenancy import TenantRef, platform_scope, tenant_scope
from core.text import is_storable
from tenants.bells import wake_webhooks
from tenants.models import WebhookDelivery
from tenants.webhooks.data import CHOSEN, Announced, DeliveryState, EndpointFacts, EventName
from tenants.webhooks.errors import (
    DeliveryNotFound,
    EndpointDisabled,
    EndpointNotFound,
    EventsNotKnown,
    TooManyEndpoints,
)
from tenants.webhooks.fanout import send_to
from tenants.webhooks.health import hold_deliveries
from tenants.webhooks.secrets import new_secret, seal_secret
from tenants.webhooks.selectors import endpoint_facts
from tenants.workspace.models import WebhookAttempt, WebhookEndpoint

MOST_ENDPOINTS = 20
OVERLAP = timedelta(hours=24)  # that the old secret signs too after a rotation
_TURN = 7_052_062  # advisory lock, with the tenant's id: one more of its endpoints at a time
BY_HAND = "by hand"


def add_endpoint(
    *,
    tenant_id: str,
    url: str,
    acting: Actor,
    now: datetime,
    description: str = "",
    events: Sequence[str] = (),
    policy: UrlPolicy | None = None,
) -> tuple[EndpointFacts, str]:
    """A new endpoint and its secret, which is shown this once. `events` empty: all, also those to come.

    Raises UrlRefused, EventsNotKnown, InvalidInput, TooManyEndpoints.
    """
    _check(description, events)
    check_url(url, policy=policy or tenant_policy())
    endpoint_id, secret = new_ulid(), new_secret()
    sealed = seal_secret(secret, tenant_id=tenant_id, endpoint_id=endpoint_id)
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        wait_turn(_TURN, tenant_id)
        if WebhookEndpoint.objects.count() >= MOST_ENDPOINTS:
            raise TooManyEndpoints()
        endpoint = WebhookEndpoint.objects.create(
            id=endpoint_id,
            url=url,
            description=description.strip(),
            events=list(dict.fromkeys(events)),
            secrets=[{"sealed": sealed, "until": ""}],
            created_at=now,
            created_by=acting.label[:200],
        )
        _tell("webhooks.add", tenant_id, endpoint, acting)
        return endpoint_facts(endpoint, now), secret


def change_endpoint(
    *,
    tenant_id: str,
    endpoint_id: str,
    acting: Actor,
    now: datetime,
    url: str | None = None,
    description: str | None = None,
    events: Sequence[str] | None = None,
    policy: UrlPolicy | None = None,
) -> EndpointFacts:
    """Give an endpoint another address, description or choice of events; None leaves it. Raises what `add` raises."""
    _check(description or "", events or ())
    if url is not None:
        check_url(url, policy=policy or tenant_policy())
    given = {"url": url, "description": description, "events": None if events is None else list(dict.fromkeys(events))}
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        changes = {name: value for name, value in given.items() if value not in (None, getattr(endpoint, name))}
        if changes:
            for name, value in changes.items():
                setattr(endpoint, name, value)
            endpoint.save(update_fields=list(changes))
            _tell("webhooks.change", tenant_id, endpoint, acting)
        return endpoint_facts(endpoint, now)


def remove_endpoint(*, tenant_id: str, endpoint_id: str, acting: Actor, now: datetime) -> None:
    """Forget the endpoint with its secret and what was still to be delivered to it. Raises EndpointNotFound."""
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        _tell("webhooks.remove", tenant_id, endpoint, acting)
        endpoint.delete()
        with platform_scope():
            rows = WebhookDelivery.objects.filter(tenant_id=tenant_id, endpoint_id=endpoint_id)
            deliveries = list(rows.values_list("pk", flat=True))
            rows.delete()
        WebhookAttempt.objects.filter(delivery_id__in=deliveries).delete()


def rotate_secret(
    *, tenant_id: str, endpoint_id: str, acting: Actor, now: datetime, overlap: timedelta = OVERLAP
) -> tuple[EndpointFacts, str]:
    """A new secret, shown this once. The one before signs beside it until `overlap` is over, any older one no more."""
    secret = new_secret()
    sealed = seal_secret(secret, tenant_id=tenant_id, endpoint_id=endpoint_id)
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        before = {"sealed": endpoint.secrets[0]["sealed"], "until": (now + overlap).isoformat()}
        endpoint.secrets = [{"sealed": sealed, "until": ""}, before]
        endpoint.save(update_fields=["secrets"])
        _tell("webhooks.rotate", tenant_id, endpoint, acting)
        return endpoint_facts(endpoint, now), secret


def enable_endpoint(*, tenant_id: str, endpoint_id: str, acting: Actor, now: datetime) -> EndpointFacts:
    """Deliver to it again, first what was held. Raises EndpointNotFound."""
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        if not endpoint.enabled:
            endpoint.enabled, endpoint.disabled_because = True, ""
            endpoint.failures, endpoint.failing_since = 0, None
            endpoint.save(update_fields=["enabled", "disabled_because", "failures", "failing_since"])
            _tell("webhooks.enable", tenant_id, endpoint, acting)
        with platform_scope():
            _release(tenant_id, endpoint_id, (DeliveryState.HELD,), now)
        return endpoint_facts(endpoint, now)


def disable_endpoint(*, tenant_id: str, endpoint_id: str, acting: Actor, now: datetime) -> EndpointFacts:
    """Deliver nothing to it until it is enabled; what waits is held, what happens meanwhile is not told it."""
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        if endpoint.enabled:
            endpoint.enabled, endpoint.disabled_because = False, BY_HAND
            endpoint.save(update_fields=["enabled", "disabled_because"])
            _tell("webhooks.disable", tenant_id, endpoint, acting)
        with platform_scope():
            hold_deliveries(tenant_id, endpoint_id)
        return endpoint_facts(endpoint, now)


def send_test(*, tenant_id: str, endpoint_id: str, acting: Actor, now: datetime) -> str:
    """Send `webhook.test` to this endpoint alone; the message's id. Raises EndpointNotFound, EndpointDisabled."""
    event = Announced(tenant_id, new_ulid(), EventName.WEBHOOK_TEST, now.isoformat(), {"asked_by": acting.label})
    with transaction.atomic(), tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        if not endpoint.enabled:
            raise EndpointDisabled()
        send_to(event, [endpoint_id])
        _tell("webhooks.test", tenant_id, endpoint, acting)
    return event.id


@transaction.atomic
def resend_delivery(*, tenant_id: str, delivery_id: str, acting: Actor, now: datetime) -> None:
    """Send a message again, under its old webhook-id, also one that was delivered. Raises DeliveryNotFound."""
    with platform_scope():
        delivery = WebhookDelivery.objects.select_for_update().filter(pk=delivery_id, tenant_id=tenant_id).first()
        if delivery is None:
            raise DeliveryNotFound()
        _release(tenant_id, delivery.endpoint_id, tuple(DeliveryState), now, delivery_id)
    target = prefixed("dlv", delivery_id)
    record("webhooks.resend", actor=acting, tenant_id=tenant_id, target=target, detail={"event": delivery.event})


@transaction.atomic
def resend_failed(*, tenant_id: str, endpoint_id: str, acting: Actor, now: datetime) -> int:
    """Send again whatever was given up for that endpoint; how many. Raises EndpointNotFound, EndpointDisabled."""
    with tenant_scope(TenantRef(tenant_id)):
        endpoint = _locked(endpoint_id)
        if not endpoint.enabled:
            raise EndpointDisabled()
    with platform_scope():
        number = _release(tenant_id, endpoint_id, (DeliveryState.FAILED,), now)
    target = prefixed("whe", endpoint_id)
    record("webhooks.resend", actor=acting, tenant_id=tenant_id, target=target, detail={"deliveries": number})
    return number


def _release(tenant_id: str, endpoint_id: str, states: tuple[DeliveryState, ...], now: datetime, only: str = "") -> int:
    """Make those deliveries due now, with all attempts before them."""
    rows = WebhookDelivery.objects.filter(tenant_id=tenant_id, endpoint_id=endpoint_id, state__in=states)
    rows = rows.filter(pk=only) if only else rows
    number = rows.update(state=DeliveryState.WAITING, attempts=0, due_at=now, finished_at=None)
    transaction.on_commit(wake_webhooks)
    return number


def _check(description: str, events: Sequence[str]) -> None:
    if unknown := sorted(set(events) - set(CHOSEN)):
        known = ", ".join(CHOSEN)
        raise EventsNotKnown(
            _("Unknown events: %(names)s") % {"names": ", ".join(unknown)[:200]},
            fields={"events": [_("choose from: %(names)s") % {"names": known}]},
        )
    if len(description) > 200 or not is_storable(description):
        raise InvalidInput(fields={"description": [_("may have 200 characters at most")]})


def _locked(endpoint_id: str) -> WebhookEndpoint:
    endpoint: WebhookEndpoint | None = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id).first()
    if endpoint is None:
        raise EndpointNotFound()
    return endpoint


def _tell(action: str, tenant_id: str, endpoint: WebhookEndpoint, acting: Actor) -> None:
    """Of the address its server only: what follows may be a receiver's secret, and the log keeps it for years.

    The fingerprint goes with the tenant too: it would tell who guesses the address, or finds it at another tenant.
    """
    parts = urlsplit(endpoint.url)
    server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    detail = {"url": Personal(server), "address": Personal(fingerprint(endpoint.url)), "events": endpoint.events}
    record(action, actor=acting, tenant_id=tenant_id, target=prefixed("whe", endpoint.id), detail=detail)
