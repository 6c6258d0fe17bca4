"""Bars as geometry."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.charts import HEIGHT, Chart, ceiling, draw

COUNTS = st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=90)


def drawn(*values: int | Decimal, **options: int) -> Chart:
    points = [(f"2026-11-{day:02}", value) for day, value in enumerate(values, start=1)]
    return draw("Requests", points, total="", exact=str, short=str, **options)


@pytest.mark.parametrize(
    ("value", "top"),
    [("0", "0"), ("1", "1"), ("1.1", "2"), ("21", "25"), ("26", "50"), ("51", "100"), ("0.0031", "0.005")],
)
def test_the_axis_ends_at_a_round_number(value: str, top: str) -> None:
    assert ceiling(Decimal(value)) == Decimal(top)


@given(COUNTS)
def test_bars_stay_inside_and_keep_their_order(values: list[int]) -> None:
    bars = drawn(*values).bars
    assert all(0 <= bar.y <= bar.y + bar.height <= HEIGHT for bar in bars)
    assert all(Decimal(bar.x[:-1]) + Decimal(bar.width[:-1]) <= Decimal("100.01") for bar in bars)
    assert all((bar.height > 0) == (value > 0) for bar, value in zip(bars, values, strict=True))
    by_value = sorted(zip(values, [bar.height for bar in bars], strict=True))
    assert [height for _, height in by_value] == sorted(height for _, height in by_value)


def test_the_summary_names_the_highest_day() -> None:
    chart = drawn(3, 9, 4)
    assert (chart.peak, chart.peak_label) == ("9", "2026-11-02")
    assert [tick.label for tick in chart.ticks] == ["10", "5"]


def test_a_chart_without_usage_has_no_bars_and_no_axis() -> None:
    chart = drawn(0, 0)
    assert chart.is_empty
    assert chart.ticks == ()


def test_a_chart_of_nothing_at_all_can_be_drawn() -> None:
    assert drawn().is_empty


def test_labels_are_thinned_and_the_last_day_keeps_its_own() -> None:
    assert [bar.shows_label for bar in drawn(*range(7), label_every=3).bars] == [
        True, False, False, True, False, False, True,
    ]  # fmt: skip


def test_half_steps_of_small_amounts_are_not_rounded_to_whole_numbers() -> None:
    assert [tick.label for tick in drawn(Decimal("0.004")).ticks] == ["0.005", "0.0025"]
