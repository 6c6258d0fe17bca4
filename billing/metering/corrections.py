"""Carries the difference between exact and provisional charges to the quota counters, once each.

A correction is a row of the events' own transaction. It is applied after the commit and before the entries leave
the stream: whoever compares the counters with PostgreSQL while the stream is empty sees them corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from billing.models import PendingCorrection
from core.ids import new_ulid
from core.redis import control
from quotas.api import correct_money


def store_corrections(corrections: Mapping[tuple[str, str], int], now: datetime) -> None:
    """Keep (tenant, month) -> micro-units, in the caller's transaction."""
    PendingCorrection.objects.bulk_create(
        PendingCorrection(id=new_ulid(), tenant_id=tenant_id, month=month, delta_micro=delta, created_at=now)
        for (tenant_id, month), delta in corrections.items()
        if delta
    )


def apply_corrections() -> int:
    """Apply what is pending; returns how many. Safe to repeat: the counters know each correction's id."""
    pending = list(PendingCorrection.objects.order_by("id"))
    for correction in pending:
        correct_money(
            control(),
            correction_id=correction.id,
            tenant_id=correction.tenant_id,
            period_id=correction.month,
            delta_micro=correction.delta_micro,
        )
    if pending:
        PendingCorrection.objects.filter(pk__in=[correction.pk for correction in pending]).delete()
    return len(pending)
