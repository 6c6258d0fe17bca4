"""What usage makes of a bill, apart from fees, as tests add it up."""

from __future__ import annotations

from decimal import Decimal

from billing.api import Bill, BillLine, LineKind


def usage_lines(bill: Bill) -> list[BillLine]:
    return [line for line in bill.lines if line.kind is LineKind.USAGE]


def precise_usage(bill: Bill) -> Decimal:
    """Before any rounding."""
    return sum((line.precise_amount for line in usage_lines(bill)), Decimal(0))
