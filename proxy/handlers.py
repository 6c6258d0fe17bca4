"""Hears of changes elsewhere and publishes them; owns which event makes which record stale. Each may run twice."""

from __future__ import annotations

from datetime import datetime

from billing.api import SubscriptionChanged, TierCrossed
from core.clock import utc_now
from core.events import subscribe
from core.lifecycle import Moment, NotYet, takes_part
from proxy import publish
from proxy.data import CatalogueChanged
from quotas.api import LimitsChanged, open_reservations
from tenants.api import KeyChanged, KeyNotFound, ProfileChanged, TenantChanged


@subscribe(KeyChanged)
def follow_key(event: KeyChanged) -> None:
    try:
        publish.publish_key(event.key_id, utc_now())
    except KeyNotFound:  # its tenant was deleted before this was delivered
        publish.withdraw_key(event.digest)


@subscribe(TenantChanged)
def follow_tenant(event: TenantChanged) -> None:
    publish.publish_tenant(event.tenant_id, utc_now())


@subscribe(ProfileChanged)
def follow_profile(event: ProfileChanged) -> None:
    publish.publish_tenants(utc_now(), of_type=event.tenant_type)


@subscribe(LimitsChanged)
def follow_limits(event: LimitsChanged) -> None:
    if event.tenant_id:
        publish.publish_tenant(event.tenant_id, utc_now())
    else:
        publish.publish_tenants(utc_now())


@subscribe(SubscriptionChanged)
def follow_subscription(event: SubscriptionChanged) -> None:
    publish.publish_tenant(event.tenant_id, utc_now())


@subscribe(TierCrossed)
def follow_tier(event: TierCrossed) -> None:
    publish.publish_tenant(event.tenant_id, utc_now())


@subscribe(CatalogueChanged)
def follow_catalogue(event: CatalogueChanged) -> None:
    publish.publish_catalogue()


@takes_part(Moment.BORN, "gateway")
def publish_new_tenant(tenant_id: str, now: datetime) -> str:
    publish.publish_tenant(tenant_id, now)
    return "known to every gateway"


@takes_part(Moment.STOPPED, "gateway")
@takes_part(Moment.STARTED, "gateway")
def publish_again(tenant_id: str, now: datetime) -> str:
    """Also what the event has published already: this is the proof, and the second chance."""
    publish.publish_tenant(tenant_id, now)
    return "known to every gateway"


@takes_part(Moment.GONE, "gateway")
def withdraw_for_good(tenant_id: str, now: datetime) -> str:
    """Wait for the last request's settlement too: it writes the usage that the books are closed with."""
    keys = publish.withdraw_tenant(tenant_id)
    waiting = open_reservations(tenant_id)
    if waiting:
        raise NotYet(f"{waiting} requests are not settled")
    return f"{keys} keys are known to no gateway"
