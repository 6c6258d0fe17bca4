"""Billing periods as half-open spans; pure calendar arithmetic that always returns to the original anchor."""

from __future__ import annotations

import calendar
from datetime import UTC, date, datetime, time
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.data import Period


class Cadence(StrEnum):
    CALENDAR_MONTH = "calendar_month"
    ANNIVERSARY_MONTH = "anniversary_month"


def period_of(
    instant: datetime, *, anchor: datetime, cadence: Cadence = Cadence.CALENDAR_MONTH, zone: str = "UTC"
) -> Period:
    """The period that `instant` falls in, given in UTC, with bounds at local midnight in `zone`.

    An anniversary on the 29th to 31st falls on a shorter month's last day and returns to its own day after
    that, because each bound is computed from the anchor and never from the bound before.
    """
    where = ZoneInfo(zone)
    day = 1 if cadence is Cadence.CALENDAR_MONTH else anchor.astimezone(where).day
    local = instant.astimezone(where).date()
    months = local.year * 12 + local.month - 1
    if _clamped(months, day) > local:
        months -= 1
    return Period(_midnight(_clamped(months, day), where), _midnight(_clamped(months + 1, day), where))


def _clamped(months: int, day: int) -> date:
    """The day in the month counted from year 0, or that month's last one."""
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
