"""Puts tenants on plans; owns that there is one contract at a time and no gap between two."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from audit.api import Actor, emit, record
from billing.data import SubscriptionChanged
from billing.models import PlanVersion, Subscription
from billing.periods import Cadence, period_of
from billing.selectors import newest_version
from core.errors import Conflict, InvalidInput
from core.ids import prefixed
from tenants.api import set_plan, tenant_by_id

_SHORTEST = timedelta(microseconds=1)  # a contract ends after it starts


@transaction.atomic
def subscribe_tenant(
    *,
    tenant_id: str,
    plan_code: str,
    acting: Actor,
    now: datetime,
    cadence: Cadence = Cadence.CALENDAR_MONTH,
) -> Subscription:
    """Put the tenant on the newest version of a plan from `now` on; what it had ends in the same instant.

    The first contract sets cadence and anchor, later ones keep them. On that version already: nothing happens.
    Raises UnknownPlan, TenantNotFound, and InvalidInput for a plan in another currency inside a period.
    """
    version = newest_version(plan_code)
    tenant = tenant_by_id(tenant_id)
    open_one = _open_contract(tenant_id)
    if open_one is not None and open_one.plan_version_id == version.id:
        return open_one
    subscription = Subscription(
        tenant_id=tenant_id,
        plan_version=version,
        cadence=open_one.cadence if open_one else cadence,
        time_zone=open_one.time_zone if open_one else "UTC",
        anchor_at=open_one.anchor_at if open_one else now,
        starts_at=now,
        created_at=now,
    )
    if open_one is not None:
        _end(open_one, version, now)
    subscription.save(force_insert=True)
    detail = {"plan": version.code, "before": open_one.plan_version.code if open_one else ""}
    target = prefixed("sub", subscription.id)
    record("billing.subscribe", actor=acting, tenant_id=tenant_id, target=target, detail=detail)
    emit(SubscriptionChanged(tenant_id))
    set_plan(tenant_id=tenant.id, plan=plan_code, acting=acting, now=now)
    return subscription


@transaction.atomic
def end_contract(*, tenant_id: str, acting: Actor, now: datetime) -> bool:
    """End the tenant's contract now; False when it has none. What was used before is still charged by it."""
    open_one = _open_contract(tenant_id)
    if open_one is None:
        return False
    open_one.ends_at = max(now, open_one.starts_at + _SHORTEST)
    open_one.save(update_fields=["ends_at"])
    target = prefixed("sub", open_one.id)
    record("billing.end_contract", actor=acting, tenant_id=tenant_id, target=target)
    return True


def _open_contract(tenant_id: str) -> Subscription | None:
    rows = Subscription.objects.select_for_update(of=("self",)).select_related("plan_version")
    return rows.filter(tenant_id=tenant_id, ends_at=None).first()


def _end(open_one: Subscription, version: PlanVersion, now: datetime) -> None:
    """End a contract now; one that began in this very instant never held, and goes."""
    if now < open_one.starts_at:
        raise Conflict("The tenant's subscription starts later than that")
    if open_one.plan_version.currency != version.currency and not _begins_period(open_one, now):
        raise InvalidInput(
            "A bill has one currency", fields={"plan": ["is in another currency: change at the start of a period"]}
        )
    if now == open_one.starts_at:
        open_one.delete()
        return
    open_one.ends_at = now
    open_one.save(update_fields=["ends_at"])


def _begins_period(open_one: Subscription, now: datetime) -> bool:
    period = period_of(now, anchor=open_one.anchor_at, cadence=Cadence(open_one.cadence), zone=open_one.time_zone)
    return period.starts_at == now
