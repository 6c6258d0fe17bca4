"""A bill's lines in words: what each step of a price is called, and at which rate."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from billing.api import Meter, PriceTerms
from billing.bills import MeteredPeriod
from billing.rating import rate
from portal.bill.lines import LineRow, lines_of
from tests.billing.reading import bill_of
from tests.billing.terms import graduated, package, per_unit, sheet, volume

D = Decimal


def usage_row(terms: PriceTerms, units: int, meter: Meter = Meter.INPUT_TOKENS) -> LineRow:
    """The line that `units` make."""
    _, row = lines_of(bill_of(MeteredPeriod(sheet(("p", meter, "*", terms)), {"p": D(units)})))
    return row


def steps_of(row: LineRow) -> list[tuple[str, str]]:
    return [(step.label, step.rate.replace("\u00a0", " ")) for step in row.steps]


def test_the_fee_is_a_line_of_its_own() -> None:
    (fee,) = lines_of(bill_of(fee="20"))
    assert (fee.label, fee.is_fixed, fee.amount, fee.has_included) == ("Monthly fee", True, 20, False)


def test_included_units_come_first_and_have_no_rate() -> None:
    row = usage_row(graduated(("10", "0.000002", "0"), (None, "0.000001", "0"), included="5"), 20)
    assert steps_of(row) == [
        ("Included in the plan", ""),
        ("Step 1", "2.00 USD per 1M tokens"),
        ("Step 2", "1.00 USD per 1M tokens"),
    ]
    assert [step.is_included for step in row.steps] == [True, False, False]
    assert (row.label, row.model, row.has_included, row.included_used) == ("Input tokens", "all models", True, 5)


def test_requests_are_priced_each_and_so_are_packages_of_tokens() -> None:
    assert steps_of(usage_row(per_unit("0.01"), 3, Meter.REQUESTS)) == [("Step 1", "0.01 USD each")]
    assert steps_of(usage_row(package("3", "10"), 25)) == [("Step 1", "3.00 USD each")]


def test_a_volume_price_that_reprices_what_was_rated_says_so() -> None:
    terms = volume(("10", "0.000002", "0"), (None, "0.000001", "0"))
    bill = bill_of(MeteredPeriod(sheet(("p", Meter.INPUT_TOKENS, "*", terms)), {"p": D(20)}))
    repriced = replace(bill.lines[-1], slices=rate(terms, 8, 12))
    (row,) = lines_of(replace(bill, lines=(repriced,)))
    assert [step.label for step in row.steps] == ["Step 2", "Earlier units at the new rate"]
    assert row.steps[1].amount == D("-0.000008")


def test_a_volume_price_is_told_at_the_rate_of_the_whole() -> None:
    assert steps_of(usage_row(volume(("10", "0.000002", "0"), (None, "0.000001", "0")), 20)) == [
        ("Step 2", "1.00 USD per 1M tokens")
    ]
