"""Which period an instant lies in; pure. Calendar months in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from quotas.data import Period


def calendar_month(epoch_seconds: int) -> Period:
    """The month [first, first of the next) in UTC; its id is such as `2026-11`."""
    at = datetime.fromtimestamp(epoch_seconds, tz=UTC)
    starts = datetime(at.year, at.month, 1, tzinfo=UTC)
    ends = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
    return Period(f"{at.year:04}-{at.month:02}", int(starts.timestamp()), int(ends.timestamp()))
