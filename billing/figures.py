"""Sums of usage for charts, tables and the operator's dashboard, all from the roll-ups; owns no event.

The functions about one tenant work in its own scope as well and leave costs at zero, because what the operator pays
is none of its business. Those named fleet_ are the operator's. Spans are half-open; test keys are left out of
money by nature and counted as usage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from billing.data import UsageFigures, UsagePoint, UsageShare
from billing.models import UsageRollup

_HOUR, _DAY = UsageRollup.Grain.HOUR, UsageRollup.Grain.DAY
_COUNTS = ("requests", "failures", "input_tokens", "cached_tokens", "output_tokens", "latency_ms", "unpriced")
_OPEN = (*_COUNTS, "charge")
_ALL = (*_OPEN, "cost", "uncosted")


@dataclass(frozen=True, slots=True)
class _Source:
    """Which roll-ups are summed, and which of their columns the reader may see."""

    grain: UsageRollup.Grain
    columns: tuple[str, ...]
    tenant_id: str = ""
    model: str = ""

    def rows(self, starts_at: datetime, ends_at: datetime) -> QuerySet[UsageRollup]:
        """From the hour or day that `starts_at` is in."""
        rows = UsageRollup.objects.filter(grain=self.grain, starts_at__gte=self.floor(starts_at), starts_at__lt=ends_at)
        if self.tenant_id:
            rows = rows.filter(tenant_id=self.tenant_id)
        return rows.filter(model=self.model) if self.model else rows

    def floor(self, instant: datetime) -> datetime:
        hour = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return hour if self.grain is UsageRollup.Grain.HOUR else hour.replace(hour=0)

    @property
    def step(self) -> timedelta:
        return timedelta(hours=1) if self.grain is UsageRollup.Grain.HOUR else timedelta(days=1)

    @property
    def sums(self) -> dict[str, Sum]:
        return {f"sum_{name}": Sum(name) for name in self.columns}

    def figures(self, row: Mapping[str, Any]) -> UsageFigures:
        """PostgreSQL sums bigint columns to numeric; counts are whole numbers all the same."""

        def count(name: str) -> int:
            return int(row.get(f"sum_{name}") or 0)

        return UsageFigures(
            requests=count("requests"),
            failures=count("failures"),
            input_tokens=count("input_tokens"),
            cached_tokens=count("cached_tokens"),
            output_tokens=count("output_tokens"),
            charge=Decimal(row.get("sum_charge") or 0),
            cost=Decimal(row.get("sum_cost") or 0),
            unpriced=count("unpriced"),
            uncosted=count("uncosted"),
            latency_ms=count("latency_ms"),
        )


def usage_by_hour(tenant_id: str, starts_at: datetime, ends_at: datetime, model: str = "") -> tuple[UsagePoint, ...]:
    """One point for each UTC hour from that of `starts_at` to before `ends_at`; `model` "" stands for all."""
    return _series(_Source(_HOUR, _OPEN, tenant_id, model), starts_at, ends_at)


def usage_by_day(tenant_id: str, starts_at: datetime, ends_at: datetime, model: str = "") -> tuple[UsagePoint, ...]:
    """The same by UTC day."""
    return _series(_Source(_DAY, _OPEN, tenant_id, model), starts_at, ends_at)


def usage_by_model(tenant_id: str, starts_at: datetime, ends_at: datetime) -> tuple[UsageShare, ...]:
    """Whole hours of the span by model, most requests first."""
    return _shares(_Source(_HOUR, _OPEN, tenant_id), "model", starts_at, ends_at)


def fleet_total(starts_at: datetime, ends_at: datetime) -> UsageFigures:
    """All tenants' usage, charge, cost and margin in whole hours of the span."""
    source = _Source(_HOUR, _ALL)
    return source.figures(source.rows(starts_at, ends_at).aggregate(**source.sums))


def fleet_by_hour(starts_at: datetime, ends_at: datetime) -> tuple[UsagePoint, ...]:
    return _series(_Source(_HOUR, _ALL), starts_at, ends_at)


def fleet_by_provider(starts_at: datetime, ends_at: datetime) -> tuple[UsageShare, ...]:
    return _shares(_Source(_HOUR, _ALL), "provider", starts_at, ends_at)


def fleet_by_tenant(starts_at: datetime, ends_at: datetime, limit: int = 100) -> tuple[UsageShare, ...]:
    """By tenant (bare id), most requests first, at most `limit`."""
    return _shares(_Source(_HOUR, _ALL), "tenant_id", starts_at, ends_at, limit)


def _series(source: _Source, starts_at: datetime, ends_at: datetime) -> tuple[UsagePoint, ...]:
    rows = source.rows(starts_at, ends_at).values("starts_at").annotate(**source.sums).order_by("starts_at")
    found = {row["starts_at"]: source.figures(row) for row in rows}
    nothing = UsageFigures()
    points = []
    at = source.floor(starts_at)
    while at < ends_at:
        points.append(UsagePoint(at, found.get(at, nothing)))
        at += source.step
    return tuple(points)


def _shares(
    source: _Source, label: str, starts_at: datetime, ends_at: datetime, limit: int | None = None
) -> tuple[UsageShare, ...]:
    rows = source.rows(starts_at, ends_at).values(label).annotate(**source.sums).order_by("-sum_requests", label)
    return tuple(UsageShare(row[label], source.figures(row)) for row in rows[:limit])
