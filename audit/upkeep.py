"""The log's monthly partitions: made long ahead, because without one nothing that is audited can be changed.

A month may be dropped when the installation's rule says so (LUMOS_AUDIT_KEEP_MONTHS). Its links stay, so the chains
still hold from their first link on; only what the entries said is gone.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef

from audit.data import SYSTEM
from audit.models import AuditEntry, AuditLink, EntryNames
from audit.services import record
from core.errors import Conflict
from core.partitions import MonthlyTable, month_after, month_of

ENTRIES = MonthlyTable(
    "audit_auditentry",
    lock=7_052_103,
    guard="CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON public.{name}"
    " FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();",
)
MONTHS_AHEAD = 12


class MonthNotSealed(Conflict):
    code = "month_not_sealed"
    title = "Entries of this month are not on their chain yet"


def ensure_partitions_ahead(now: datetime) -> list[str]:
    """The current month's partition and those of the year that follows; returns the names of those made."""
    return ENTRIES.ensure_ahead(now, MONTHS_AHEAD)


def retire_months(*, now: datetime, keep: int) -> list[str]:
    """Drop the months that ended more than `keep` months ago (0 keeps all); returns them.

    Each is noted in the platform's chain, by which a check knows that these entries are gone by rule. Raises
    MonthNotSealed, and drops nothing of that month, while one of its entries is on no chain.
    """
    if keep == 0:
        return []
    oldest = month_of(now)
    for _ in range(keep):
        oldest = _month_before(oldest)
    return [_retire(month) for month in ENTRIES.months() if month < oldest]


@transaction.atomic
def _retire(month: datetime) -> str:
    name = f"{month:%Y-%m}"
    entries = AuditEntry.objects.filter(at__gte=month, at__lt=month_after(month))
    count = entries.count()
    if entries.exclude(Exists(AuditLink.objects.filter(entry_id=OuterRef("pk")))).exists():
        raise MonthNotSealed(f"{name} has entries that are on no chain; run: ./lumos audit verify")
    ENTRIES.drop(month)
    EntryNames.objects.filter(entry_at__gte=month, entry_at__lt=month_after(month)).delete()
    record("audit.retire_month", actor=SYSTEM, tenant_id=None, target=name, detail={"entries": count})
    return name


def _month_before(month: datetime) -> datetime:
    return month.replace(year=month.year - (month.month == 1), month=(month.month - 2) % 12 + 1)
