"""Makes a bill of a plan's fee and a period's units; pure. One rounding per line, half up, both amounts kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from billing.data import Bill, BillLine, LineKind, Period, PriceSheet, RatedSlice, SheetPrice, SliceKind
from billing.rating import rate
from core.money import round_money

_ZERO = Decimal(0)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class BilledPlan:
    """What a bill needs to know of a plan version."""

    code: str
    name: str
    version: str
    currency: str
    monthly_fee: Decimal


@dataclass(frozen=True, slots=True)
class MeteredPeriod:
    """A sheet and the units per price id that were metered under it in the period."""

    sheet: PriceSheet
    units: Mapping[str, Decimal]


def make_bill(
    *, tenant_id: str, plan: BilledPlan, period: Period, metered: Iterable[MeteredPeriod], as_of: datetime
) -> Bill:
    """The bill of a period: the plan's fee, then one line for each price, also for those without usage.

    `metered` holds the sheet in force first; sheets that it replaced within the period show used prices only.
    """
    lines = [_fixed_line(plan)]
    for index, part in enumerate(metered):
        for price in part.sheet.prices:
            units = part.units.get(price.id, _ZERO)
            if units or index == 0:
                lines.append(_usage_line(price, units, part.sheet))
    return Bill(
        tenant_id=tenant_id,
        plan_code=plan.code,
        plan_name=plan.name,
        price_version=plan.version,
        currency=plan.currency,
        period=period,
        lines=tuple(lines),
        precise_total=sum((line.precise_amount for line in lines), _ZERO),
        total=sum((line.amount for line in lines), _ZERO),
        as_of=as_of,
    )


def _fixed_line(plan: BilledPlan) -> BillLine:
    fee = plan.monthly_fee
    return BillLine(
        kind=LineKind.FIXED,
        price_id="",
        price_version=plan.version,
        meter=None,
        model="",
        quantity=_ONE,
        included_units=_ZERO,
        included_used=_ZERO,
        slices=(RatedSlice(SliceKind.USAGE, 1, _ONE, _ONE, fee, _ZERO, fee),),
        precise_amount=fee,
        amount=round_money(fee, plan.currency),
    )


def _usage_line(price: SheetPrice, units: Decimal, sheet: PriceSheet) -> BillLine:
    slices = rate(price.terms, 0, units)
    precise = sum((part.amount for part in slices), _ZERO)
    return BillLine(
        kind=LineKind.USAGE,
        price_id=price.id,
        price_version=sheet.version,
        meter=price.meter,
        model=price.model,
        quantity=units,
        included_units=price.terms.included_units,
        included_used=sum((part.units for part in slices if part.kind is SliceKind.INCLUDED), _ZERO),
        slices=slices,
        precise_amount=precise,
        amount=round_money(precise, sheet.currency),
    )
