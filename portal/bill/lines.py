"""A bill's lines in words: what was counted, what was included, which step of the price applied; no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.api import Bill, BillLine, LineKind, Meter, RatedSlice, SliceKind
from portal import formats

_METERS: dict[Meter, Promise] = {
    Meter.INPUT_TOKENS: gettext_lazy("Input tokens"),
    Meter.CACHED_TOKENS: gettext_lazy("Cached input tokens"),
    Meter.OUTPUT_TOKENS: gettext_lazy("Output tokens"),
    Meter.REQUESTS: gettext_lazy("Requests"),
}
_PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a line's price."""

    label: str
    quantity: Decimal
    rate: str
    formula: str
    amount: Decimal
    is_included: bool


@dataclass(frozen=True, slots=True)
class LineRow:
    """One line of the bill, explained."""

    label: str
    model: str
    is_fixed: bool
    quantity: Decimal
    included_units: Decimal
    included_used: Decimal
    steps: tuple[StepRow, ...]
    precise_amount: Decimal
    amount: Decimal

    @property
    def has_included(self) -> bool:
        return self.included_units > 0


def lines_of(bill: Bill) -> list[LineRow]:
    return [_line(line, bill.currency) for line in bill.lines]


def meter_words(meter: Meter | None) -> str:
    return str(_METERS[meter]) if meter else _("Monthly fee")


def _line(line: BillLine, currency: str) -> LineRow:
    return LineRow(
        label=meter_words(line.meter),
        model=_("all models") if line.model == "*" else line.model,
        is_fixed=line.kind is LineKind.FIXED,
        quantity=line.quantity,
        included_units=line.included_units,
        included_used=line.included_used,
        steps=tuple(_step(step, line, currency) for step in line.slices),
        precise_amount=line.precise_amount,
        amount=line.amount,
    )


def _step(step: RatedSlice, line: BillLine, currency: str) -> StepRow:
    return StepRow(
        label=_step_words(step),
        quantity=step.units,
        rate=_rate(step, line, currency),
        formula=step.formula,
        amount=step.amount,
        is_included=step.kind is SliceKind.INCLUDED,
    )


def _step_words(step: RatedSlice) -> str:
    if step.kind is SliceKind.INCLUDED:
        return _("Included in the plan")
    if step.kind is SliceKind.REPRICING:
        return _("Earlier units at the new rate")
    return _("Step %(number)d") % {"number": step.tier}


def _rate(step: RatedSlice, line: BillLine, currency: str) -> str:
    """Tokens are priced by the million in every price list, so the rate is told that way."""
    if step.kind is SliceKind.INCLUDED:
        return ""
    if line.meter is Meter.REQUESTS or step.quantity != step.units:
        return _("%(amount)s each") % {"amount": formats.money_exact(step.unit_amount, currency)}
    per_million = formats.money_exact(step.unit_amount * _PER_MILLION, currency)
    return _("%(amount)s per 1M tokens") % {"amount": per_million}
