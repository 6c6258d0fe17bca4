"""Carries domain events out of transactions to their handlers; owns at-least-once delivery, to each handler by itself.

A handler that fails neither stops the others nor makes those that succeeded run again. It is tried once on commit and
then by the relay, with growing pauses; after GIVE_UP_AFTER attempts the event has failed, and waits for an operator. No
order is promised, not even for one tenant: an event says what to look at again, and a handler reads the present state.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db import transaction

from audit.data import Actor, Personal
from audit.errors import OutboxEventGone
from audit.metrics import FAILED, FAILURES, WAITING
from audit.models import OutboxEvent
from audit.services import record
from core.clock import utc_now
from core.events import DomainEvent, Handler, handlers_of, revive
from core.faults import fault_point
from core.outages import outage_of
from core.tenancy import platform_scope

log = structlog.get_logger(__name__)
GIVE_UP_AFTER = 20  # attempts, about a quarter of an hour; an outage of a server never counts as the last one
LONGEST_WAIT = timedelta(minutes=1)
_GRACE = timedelta(seconds=2)  # for the delivery on commit, before the relay looks
_BUDGET_SECONDS = 20.0


def wait_after(attempts: int, chance: float) -> timedelta:
    """The pause after failed attempts: 1 s, 2 s, 4 s … LONGEST_WAIT, a quarter more or less by `chance` (0 to 1).

    Chance keeps events that failed together, as in an outage, from coming back together.
    """
    doubled = timedelta(seconds=2 ** min(attempts - 1, 10))
    return min(doubled, LONGEST_WAIT) * (0.75 + chance / 2)


def emit(event: DomainEvent) -> None:
    """Store the event in the caller's transaction and deliver it on commit; the relay repeats what failed.

    A failure after the commit never reaches the caller, whose change is made.
    """
    row = OutboxEvent(type_name=event.type_name, payload=event.payload(), next_attempt_at=utc_now() + _GRACE)
    row.save(force_insert=True)
    transaction.on_commit(partial(_deliver_at_once, row, event))


def emit_many(events: Iterable[DomainEvent]) -> None:
    """Store them in the caller's transaction and leave them to the relay: as many as a fleet would hold a caller up."""
    now = utc_now()
    rows = [OutboxEvent(type_name=event.type_name, payload=event.payload(), next_attempt_at=now) for event in events]
    OutboxEvent.objects.bulk_create(rows, batch_size=1000)


def _deliver_at_once(row: OutboxEvent, event: DomainEvent) -> None:
    try:
        with platform_scope():
            _note(row, _call_handlers(row, event), now=utc_now())
    except Exception as error:  # what is committed stays committed, and the row stays due
        log.warning("audit.outbox.left_to_the_relay", event_type=event.type_name, error=str(error)[:200])


def relay_outbox(*, now: datetime, limit: int = 200) -> int:
    """Try what is due, each event in a transaction of its own; returns how many were delivered. Safe in parallel."""
    delivered, began = 0, time.monotonic()
    for _ in range(limit):
        done = _relay_one(now)
        if done is None or time.monotonic() - began > _BUDGET_SECONDS:
            break
        delivered += done
    waiting = OutboxEvent.objects.filter(delivered_at=None)
    WAITING.set(waiting.filter(failed_at=None).count())
    FAILED.set(waiting.exclude(failed_at=None).count())
    return delivered


@transaction.atomic
def _relay_one(now: datetime) -> bool | None:
    """Whether the event that is due longest was delivered; None when there is none."""
    due = OutboxEvent.objects.filter(delivered_at=None, failed_at=None, next_attempt_at__lte=now)
    row = due.select_for_update(skip_locked=True).order_by("next_attempt_at", "id").first()
    return None if row is None else _attempt(row, now)


@transaction.atomic
def deliver_events(*, tenant_id: str, now: datetime) -> int:
    """Try all of a tenant's events that wait, whenever they are due; returns how many were delivered."""
    waiting = OutboxEvent.objects.filter(delivered_at=None, failed_at=None, payload__tenant_id=tenant_id)
    return sum(_attempt(row, now) for row in waiting.select_for_update(skip_locked=True).order_by("id"))


def _attempt(row: OutboxEvent, now: datetime) -> bool:
    """Whether the event is delivered now; what came of it is written down."""
    try:
        event = revive(row.type_name, row.payload)
    except (KeyError, TypeError) as error:
        fault: Exception | None = LookupError(f"This version has no such event: {error}")
    else:
        fault = _call_handlers(row, event)
    _note(row, fault, now=now)
    return fault is None


def _call_handlers(row: OutboxEvent, event: DomainEvent) -> Exception | None:
    """Call whoever was not reached yet and note in `row` who was; returns the last failure."""
    fault, handlers = None, handlers_of(event)
    for name in sorted(handlers.keys() - set(row.delivered_to)):
        failed = _call(name, handlers, event)
        if failed is None:
            row.delivered_to = [*row.delivered_to, name]
        fault = failed or fault
        fault_point("audit.outbox.handled")
    return fault


def _call(name: str, handlers: Mapping[str, Handler], event: DomainEvent) -> Exception | None:
    try:
        with transaction.atomic():
            handlers[name](event)
    except Exception as error:
        FAILURES.labels(name).inc()
        log.warning("audit.outbox.handler_failed", handler=name, event_type=event.type_name, error=str(error)[:200])
        return error
    return None


def _note(row: OutboxEvent, fault: Exception | None, *, now: datetime) -> None:
    """Write down what came of an attempt, unless another process made one in between and knows better."""
    noted: dict[str, object] = {"delivered_to": row.delivered_to}
    if fault is None:
        noted |= {"delivered_at": now}
    else:
        attempts = row.attempts + 1
        gives_up = attempts >= GIVE_UP_AFTER and outage_of(fault) is None
        noted |= {
            "attempts": min(attempts, 32_000),
            "last_error": f"{type(fault).__name__}: {fault}"[:500],
            "next_attempt_at": now + wait_after(attempts, random.random()),  # noqa: S311 - spreads load, hides nothing
            "failed_at": now if gives_up else None,
        }
    OutboxEvent.objects.filter(pk=row.pk, attempts=row.attempts, delivered_at=None).update(**noted)


@transaction.atomic
def resend_event(*, event_id: str, acting: Actor, now: datetime) -> None:
    """Let the relay try an undelivered event again at once, with all attempts before it. Raises OutboxEventGone."""
    row = _undelivered(event_id)
    OutboxEvent.objects.filter(pk=row.pk).update(attempts=0, failed_at=None, next_attempt_at=now)
    detail = {"last_error": Personal(row.last_error)}
    record("outbox.resend", actor=acting, tenant_id=None, target=str(row), detail=detail, about_tenant=_tenant_of(row))


@transaction.atomic
def discard_event(*, event_id: str, acting: Actor, reason: str) -> None:
    """Give an undelivered event up for good; the audit log keeps what it said. Raises OutboxEventGone."""
    row = _undelivered(event_id)
    apart = {"payload": Personal(row.payload), "last_error": Personal(row.last_error)}
    detail = {**apart, "delivered_to": row.delivered_to}
    record(
        "outbox.discard",
        actor=acting,
        tenant_id=None,
        target=str(row),
        reason=reason,
        detail=detail,
        about_tenant=_tenant_of(row),
    )
    row.delete()


def _tenant_of(row: OutboxEvent) -> str:
    """Of whom the event tells; empty when it is of no tenant."""
    return str(row.payload.get("tenant_id") or "")


def _undelivered(event_id: str) -> OutboxEvent:
    row = OutboxEvent.objects.select_for_update().filter(pk=event_id, delivered_at=None).first()
    if row is None:
        raise OutboxEventGone()
    return row


def prune_outbox(*, now: datetime, keep: timedelta = timedelta(days=7)) -> int:
    """Delete delivered events older than `keep`; returns how many."""
    deleted, _ = OutboxEvent.objects.filter(delivered_at__lt=now - keep).delete()
    return deleted


def forget_events(tenant_id: str) -> int:
    """Delete what is delivered or given up of a tenant's events, for nobody needs it; returns how many."""
    over = OutboxEvent.objects.exclude(delivered_at=None, failed_at=None)
    deleted, _ = over.filter(payload__tenant_id=tenant_id).delete()
    return deleted


def count_events(tenant_id: str) -> int:
    """How many events name the tenant, those included that are still to be delivered."""
    return OutboxEvent.objects.filter(payload__tenant_id=tenant_id).count()
