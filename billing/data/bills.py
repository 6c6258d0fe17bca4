"""Bills and their lines; owns their shape, refuses to compute them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.data.prices import Meter, RatedSlice


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of time: `starts_at` belongs to it, `ends_at` to the next."""

    starts_at: datetime
    ends_at: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.starts_at <= instant < self.ends_at


class LineKind(StrEnum):
    FIXED = "fixed"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line; `amount` is `precise_amount` rounded once, half up, to the currency's minor unit."""

    kind: LineKind
    price_id: str
    price_version: str
    meter: Meter | None
    model: str
    quantity: Decimal
    included_units: Decimal
    included_used: Decimal
    slices: tuple[RatedSlice, ...]
    precise_amount: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """The running bill of a period, computed from what was ingested so far."""

    tenant_id: str
    plan_code: str
    plan_name: str
    price_version: str
    currency: str
    period: Period
    lines: tuple[BillLine, ...]
    precise_total: Decimal
    total: Decimal
    as_of: datetime
