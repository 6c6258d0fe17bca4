"""Numbers and instants as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal import formats

NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1k"),
        (1_234, "1.23k"),
        (12_345, "12.3k"),
        (200_000, "200k"),
        (46_120_334, "46.1M"),
        (2_000_000_000, "2B"),
        (7 * 10**12, "7T"),
    ],
)
def test_large_counts_are_three_digits_and_a_letter(number: int, text: str) -> None:
    assert formats.short(number) == text


def test_an_exact_count_is_grouped_and_has_no_idle_zeros() -> None:
    assert formats.exact(1_234_567) == "1,234,567"
    assert formats.exact(Decimal("6106933.000000")) == "6,106,933"
    assert formats.exact(Decimal("0.50")) == "0.5"


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("0", "USD", "0.00\u00a0USD"),
        ("12.345", "USD", "12.35\u00a0USD"),
        ("20000", "EUR", "20,000.00\u00a0EUR"),
        ("1234.5", "JPY", "1,235\u00a0JPY"),
        ("0.00052", "USD", "0.00052\u00a0USD"),
        ("0.0000001234", "USD", "0.00000012\u00a0USD"),
    ],
)
def test_money_has_a_currency_and_small_amounts_are_not_shown_as_nothing(amount: str, currency: str, text: str) -> None:
    assert formats.money(Decimal(amount), currency) == text


def test_the_exact_amount_shows_every_digit() -> None:
    assert formats.money_exact(Decimal("74.97879730"), "USD") == "74.9787973\u00a0USD"
    assert formats.money_exact(Decimal("2.5"), "USD") == "2.50\u00a0USD"
    assert formats.money_exact(Decimal(0), "JPY") == "0\u00a0JPY"


@given(st.decimals(min_value="0.01", max_value="1e9", places=6))
def test_what_is_shown_is_within_half_a_cent_of_the_amount(amount: Decimal) -> None:
    shown = Decimal(formats.money(amount, "USD").split("\u00a0")[0].replace(",", ""))
    assert abs(shown - amount) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (timedelta(seconds=-1), "now"),
        (timedelta(milliseconds=200), "1 s"),
        (timedelta(seconds=41), "41 s"),
        (timedelta(minutes=3, seconds=9), "3 min"),
        (timedelta(hours=2, minutes=5), "2 h 5 min"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=9, hours=19), "9 days 19 h"),
    ],
)
def test_a_distance_is_told_in_its_two_largest_units(left: timedelta, text: str) -> None:
    assert formats.until(NOW + left, NOW) == text


def test_instants_name_their_zone() -> None:
    assert formats.utc_minute(NOW) == "2026-11-21 12:00\u00a0UTC"
    assert formats.utc_second(NOW) == "2026-11-21 12:00:05\u00a0UTC"
    assert formats.utc_day(NOW) == "2026-11-21"
