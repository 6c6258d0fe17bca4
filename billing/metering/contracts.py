"""Subscriptions as the ingest needs them: which one, and which of its periods, an event falls into."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from django.db.models import Q

from billing.data import Meter, Period, PriceSheet, SheetPrice
from billing.models import Price, Subscription
from billing.periods import Cadence, period_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(instant: datetime) -> int:
    return (instant - EPOCH) // _MILLISECOND


def from_ms(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


@dataclass(slots=True)
class Contract:
    """A subscription during [starts_ms, ends_ms) and the sheet it is priced by; the sheet's positions are unused."""

    id: str
    tenant_id: str
    starts_ms: int
    ends_ms: int | None
    anchor_at: datetime
    cadence: Cadence
    time_zone: str
    sheet: PriceSheet
    _periods: list[tuple[int, int, Period]] = field(default_factory=list)

    def holds_at(self, ms: int) -> bool:
        return self.starts_ms <= ms and (self.ends_ms is None or ms < self.ends_ms)

    def period_at(self, ms: int) -> Period:
        """The billing period of an instant. A batch knows one or two, so they are kept."""
        for starts, ends, period in self._periods:
            if starts <= ms < ends:
                return period
        period = period_of(from_ms(ms), anchor=self.anchor_at, cadence=self.cadence, zone=self.time_zone)
        self._periods.append((to_ms(period.starts_at), to_ms(period.ends_at), period))
        return period


def contracts_of(tenant_ids: Iterable[str], oldest: datetime, newest: datetime) -> Mapping[str, list[Contract]]:
    """The contracts of these tenants that held at some time from `oldest` to `newest`, newest first."""
    found: dict[str, list[Contract]] = defaultdict(list)
    rows = (
        Subscription.objects.filter(tenant_id__in=set(tenant_ids), starts_at__lte=newest)
        .filter(Q(ends_at=None) | Q(ends_at__gt=oldest))
        .select_related("plan_version")
        .order_by("-starts_at")
    )
    for row in rows:
        found[row.tenant_id].append(contract_of(row))
    return found


def contract_of(row: Subscription) -> Contract:
    return Contract(
        id=row.id,
        tenant_id=row.tenant_id,
        starts_ms=to_ms(row.starts_at),
        ends_ms=None if row.ends_at is None else to_ms(row.ends_at),
        anchor_at=row.anchor_at,
        cadence=Cadence(row.cadence),
        time_zone=row.time_zone,
        sheet=sheet_of(row.plan_version_id, row.plan_version.code, row.plan_version.currency),
    )


@lru_cache(maxsize=1_000)
def sheet_of(plan_version_id: str, code: str, currency: str) -> PriceSheet:
    """The prices of a published version, which never change: read once by each process."""
    prices = tuple(
        SheetPrice(id=price.id, meter=Meter(price.meter), model=price.model, terms=price.terms)
        for price in Price.objects.filter(plan_version_id=plan_version_id).order_by("meter", "model")
    )
    return PriceSheet(version=code, currency=currency, prices=prices, period_ends_ms=0, positions={})
