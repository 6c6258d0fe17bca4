"""The monthly partitions of the usage events."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from core.partitions import MonthlyTable

EVENTS = MonthlyTable("billing_usageevent", lock=7_052_102)


def ensure_partitions(months: Iterable[datetime]) -> list[str]:
    """Make the partitions of these months where they are missing; returns the names of those made."""
    return EVENTS.ensure(months)


def ensure_partitions_ahead(now: datetime, months: int = 3) -> list[str]:
    """The current month's partition and those of the `months` that follow."""
    return EVENTS.ensure_ahead(now, months)
