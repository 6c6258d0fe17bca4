"""Bills made by hand, and what usage makes of a bill apart from fees, as tests add it up."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from billing.api import Bill, BillLine, LineKind, Period
from billing.bills import BilledPlan, MeteredPeriod, make_bill
from tests.billing.facts import MOMENT

NOVEMBER = Period(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))


def bill_of(*parts: MeteredPeriod, fee: str = "20", currency: str = "USD") -> Bill:
    plan = BilledPlan(code="pro", name="Pro", version="pro@3", currency=currency, monthly_fee=Decimal(fee))
    return make_bill(tenant_id="acme", plan=plan, period=NOVEMBER, metered=parts, as_of=MOMENT)


def usage_lines(bill: Bill) -> list[BillLine]:
    return [line for line in bill.lines if line.kind is LineKind.USAGE]


def precise_usage(bill: Bill) -> Decimal:
    """Before any rounding."""
    return sum((line.precise_amount for line in usage_lines(bill)), Decimal(0))
