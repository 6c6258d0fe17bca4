"""Writing to the log and carrying domain events out of transactions; owns at-least-once delivery."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.db import transaction

from audit.concealment import conceal
from audit.data import Actor
from audit.models import AuditEntry, OutboxEvent
from core.clock import utc_now
from core.events import DomainEvent, deliver, revive
from core.request_id import current_request_id
from core.tenancy import platform_scope

log = structlog.get_logger(__name__)
_GRACE = timedelta(seconds=2)


def record(
    action: str,
    *,
    actor: Actor,
    tenant_id: str | None,
    target: str,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry, in the caller's transaction: when it cannot be written, nothing else is either.

    `action` is a dotted verb such as `tenants.suspend`. `before` and `after` are what was changed, and `detail` what
    else is worth knowing; whatever looks like a credential in them is replaced by its fingerprint.
    """
    AuditEntry.objects.create(
        tenant_id=tenant_id or "",
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        action=action,
        target=target,
        reason=reason,
        before=None if before is None else conceal(before),
        after=None if after is None else conceal(after),
        detail=conceal(detail or {}),
        request_id=current_request_id(),
    )


def emit(event: DomainEvent) -> None:
    """Store the event in the caller's transaction and deliver it on commit; the relay repeats what failed."""
    row = OutboxEvent.objects.create(type_name=event.type_name, payload=event.payload())
    transaction.on_commit(partial(_deliver_row, row.id, event))


def _deliver_row(row_id: str, event: DomainEvent) -> None:
    with platform_scope():
        try:
            deliver(event)
        except Exception as error:  # a handler's fault must not undo what is committed; the relay tries again
            log.warning("audit.outbox.delivery_failed", event_type=event.type_name, error=str(error)[:200])
            return
        OutboxEvent.objects.filter(pk=row_id).update(delivered_at=utc_now())


def relay_outbox(*, now: datetime, limit: int = 200) -> int:
    """Deliver what is still waiting, oldest first; returns how many were delivered. Safe to run in parallel."""
    delivered = 0
    with transaction.atomic():
        waiting = (
            OutboxEvent.objects.select_for_update(skip_locked=True)
            .filter(delivered_at=None, created_at__lte=now - _GRACE)
            .order_by("attempts", "created_at")[:limit]
        )
        for row in waiting:
            delivered += _try_row(row, now)
    return delivered


def _try_row(row: OutboxEvent, now: datetime) -> int:
    try:
        with transaction.atomic():
            deliver(revive(row.type_name, row.payload))
    except Exception as error:  # recorded on the row, and the rest goes on
        row.attempts = min(row.attempts + 1, 32000)
        row.last_error = str(error)[:500]
        row.save(update_fields=["attempts", "last_error"])
        log.warning("audit.outbox.retry_failed", event_type=row.type_name, attempts=row.attempts)
        return 0
    row.delivered_at = now
    row.save(update_fields=["delivered_at"])
    return 1


def prune_outbox(*, now: datetime, keep: timedelta = timedelta(days=7)) -> int:
    """Delete delivered events older than `keep`; returns how many."""
    deleted, _ = OutboxEvent.objects.filter(delivered_at__lt=now - keep).delete()
    return deleted
