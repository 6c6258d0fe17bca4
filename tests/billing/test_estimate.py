"""The gateway's price of a request: the same rating as the bill, never free by accident."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.data import Meter, PriceSheet, PriceTerms
from billing.errors import UnknownPrice
from billing.estimate import estimate_micro, prices_of
from billing.rating import amount_of
from core.money import to_micro
from tests.billing.terms import any_terms, graduated, per_unit, sheet

INPUT, CACHED, OUTPUT, REQUESTS = Meter
PLAIN = sheet(
    ("in", INPUT, "*", per_unit("0.000002")),
    ("cached", CACHED, "*", per_unit("0.000001")),
    ("out", OUTPUT, "*", per_unit("0.000008")),
)


def test_cached_tokens_are_taken_out_of_the_input() -> None:
    assert estimate_micro(PLAIN, "any", 100, 40, 10) == 60 * 2 + 40 + 10 * 8


def test_cached_tokens_without_a_price_of_their_own_cost_what_input_costs() -> None:
    prices = sheet(("in", INPUT, "*", per_unit("0.000002")), ("out", OUTPUT, "*", per_unit("0.000008")))
    assert estimate_micro(prices, "any", 100, 40, 0) == 200


def test_a_models_own_price_goes_before_the_price_of_all_models() -> None:
    prices = sheet(
        ("own", INPUT, "large", per_unit("0.00001")),
        ("in", INPUT, "*", per_unit("0.000001")),
        ("out", OUTPUT, "*", per_unit("0.000001")),
    )
    assert estimate_micro(prices, "large", 1, 0, 1) == 11
    assert estimate_micro(prices, "small", 1, 0, 1) == 2


def test_a_price_for_each_request_is_added() -> None:
    prices = sheet(("in", INPUT, "*", per_unit("0.000002")), ("each", REQUESTS, "*", per_unit("0.01")))
    assert estimate_micro(prices, "any", 100, 0, 0) == 10_200


def test_the_position_decides_the_tier() -> None:
    terms = graduated(("1000", "0.000004", "0"), (None, "0.000001", "0"), included="500")
    prices = sheet(("in", INPUT, "*", terms), positions={"in": 1500})
    assert estimate_micro(prices, "any", 100, 0, 0) == 100
    assert estimate_micro(prices, "any", 100, 0, 0, {"in": 500}) == 400
    assert estimate_micro(prices, "any", 100, 0, 0, prices.positions_at(prices.period_ends_ms)) == 0
    assert prices.positions_at(prices.period_ends_ms - 1) == {"in": 1500}


def test_parts_of_a_micro_unit_are_rounded_up_once() -> None:
    prices = sheet(("in", INPUT, "*", per_unit("0.0000001")), ("out", OUTPUT, "*", per_unit("0.0000001")))
    assert estimate_micro(prices, "any", 1, 0, 1) == 1
    assert estimate_micro(prices, "any", 5, 0, 6) == 2


@pytest.mark.parametrize(
    ("prices", "tokens", "named"),
    [
        (sheet(), (1, 0, 0), "input tokens"),
        (sheet(), (0, 0, 0), "requests"),
        (sheet(("in", INPUT, "*", per_unit("1"))), (1, 0, 1), "output tokens"),
        (sheet(("out", OUTPUT, "*", per_unit("1"))), (1, 0, 1), "input tokens"),
        (sheet(("each", REQUESTS, "*", per_unit("1"))), (1, 0, 0), "input tokens"),
        (sheet(("in", INPUT, "other", per_unit("1"))), (1, 0, 0), "input tokens"),
    ],
)
def test_usage_without_a_price_is_refused_and_never_free(
    prices: PriceSheet, tokens: tuple[int, int, int], named: str
) -> None:
    with pytest.raises(UnknownPrice, match=named):
        estimate_micro(prices, "mine", *tokens)


def test_a_price_of_zero_is_an_answer() -> None:
    prices = sheet(("in", INPUT, "*", per_unit("0")), ("out", OUTPUT, "*", per_unit("0")))
    assert estimate_micro(prices, "any", 10, 0, 10) == 0


def test_the_memo_of_models_does_not_grow_with_what_callers_send() -> None:
    prices = sheet(("in", INPUT, "*", per_unit("0")))
    for number in range(5000):
        prices_of(prices, f"made-up-{number}")
    assert len(prices.memo) <= 4096


@given(any_terms(), any_terms(), st.integers(0, 10**7), st.integers(0, 10**5), st.integers(0, 10**5))
def test_the_estimate_is_the_bills_amount_rounded_up(
    input_terms: PriceTerms, output_terms: PriceTerms, before: int, tokens_in: int, tokens_out: int
) -> None:
    prices = sheet(("in", INPUT, "*", input_terms), ("out", OUTPUT, "*", output_terms))
    exact = amount_of(input_terms, before, tokens_in) + amount_of(output_terms, 0, tokens_out)
    assert estimate_micro(prices, "any", tokens_in, 0, tokens_out, {"in": before}) == to_micro(exact)
    assert isinstance(exact, Decimal)


@given(any_terms())
def test_a_sheet_survives_its_json_form(terms: PriceTerms) -> None:
    prices = sheet(("in", INPUT, "*", terms), ("out", OUTPUT, "large", terms), positions={"in": 5})
    assert PriceSheet.from_json(prices.to_json()) == prices
