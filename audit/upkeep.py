"""The log's monthly partitions: made long ahead, because without one nothing that is audited can be changed."""

from __future__ import annotations

from datetime import datetime

from core.partitions import MonthlyTable

ENTRIES = MonthlyTable(
    "audit_auditentry",
    lock=7_052_103,
    guard="CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON public.{name}"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();",
)
MONTHS_AHEAD = 12


def ensure_partitions_ahead(now: datetime) -> list[str]:
    """The current month's partition and those of the year that follows; returns the names of those made."""
    return ENTRIES.ensure_ahead(now, MONTHS_AHEAD)
