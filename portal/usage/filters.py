"""What the usage page is asked to show, as it stands in the address; wrong values fall back, they never fail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.http import QueryDict

SPANS = (7, 14, 30, 90)
METRICS = ("tokens", "requests", "charge")
_DAYS, _METRIC = 14, "tokens"


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """The last `days` days up to today, of one model or ("") of all, charted by `metric`."""

    days: int = _DAYS
    model: str = ""
    metric: str = _METRIC

    @classmethod
    def from_query(cls, query: QueryDict) -> UsageFilter:
        days = query.get("days", "")
        metric = query.get("metric", "")
        return cls(
            days=int(days) if days in {str(span) for span in SPANS} else _DAYS,
            model=query.get("model", "")[:200],
            metric=metric if metric in METRICS else _METRIC,
        )

    def span(self, now: datetime) -> tuple[datetime, datetime]:
        """[from, to): whole UTC days, today included."""
        today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=self.days - 1), today + timedelta(days=1)

    def query(self, **changes: str | int) -> str:
        """The address of the same view with something changed."""
        changed = replace(self, **changes)  # type: ignore[arg-type]
        fields = {"days": changed.days, "model": changed.model, "metric": changed.metric}
        return urlencode({name: value for name, value in fields.items() if value})
