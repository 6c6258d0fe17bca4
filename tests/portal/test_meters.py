"""Quota readings as meters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from portal.home.meters import Meter, Severity, meters_of, severity_of
from quotas.api import Dimension, Limit, LimitScope, MeterReading

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def meter(used: int, held: int, limit: int | None, dimension: Dimension = Dimension.TOKENS_PER_MONTH) -> Meter:
    reading = MeterReading(dimension, LimitScope.TENANT, used, held, Limit(dimension, limit), NOW)
    return meters_of([reading], "EUR")[0]


@pytest.mark.parametrize(
    ("percent", "severity"),
    [(0, Severity.CALM), (79, Severity.CALM), (80, Severity.NOTICE), (90, Severity.WARNING), (95, Severity.CRITICAL),
     (140, Severity.CRITICAL)],
)  # fmt: skip
def test_severity_follows_the_thresholds_of_the_alerts(percent: int, severity: Severity) -> None:
    assert severity_of(percent) is severity


def test_a_bar_shows_what_is_used_and_what_is_held_side_by_side() -> None:
    drawn = meter(used=50, held=25, limit=100)
    assert (drawn.used_width, drawn.held_width, drawn.percent) == ("50.00%", "25.00%", 75)


def test_a_bar_ends_at_its_limit_and_the_words_do_not() -> None:
    drawn = meter(used=90, held=60, limit=100)
    assert (drawn.used_width, drawn.held_width, drawn.percent, drawn.bar_percent) == ("90.00%", "10.00%", 150, 100)


def test_a_little_is_not_nothing() -> None:
    assert meter(1, 0, 1000).percent_words == "<1"
    assert meter(0, 0, 1000).percent_words == "0"


def test_without_a_limit_there_is_no_bar_and_no_alarm() -> None:
    drawn = meter(10**9, 0, None)
    assert drawn.limit is None
    assert drawn.severity is Severity.CALM


def test_a_limit_of_zero_is_full() -> None:
    assert meter(0, 0, 0).used_width == "100.00%"


def test_money_is_shown_in_the_currency_and_counts_are_not() -> None:
    assert meter(1_234_567, 0, 20_000_000, Dimension.MONEY_PER_MONTH).used.text == "1.23\u00a0EUR"
    assert meter(1_234_567, 0, 20_000_000).used.text == "1.23M"


def test_meters_stand_in_the_order_people_look_for_them_and_keys_have_none() -> None:
    def reading(dimension: Dimension, scope: LimitScope = LimitScope.TENANT) -> MeterReading:
        return MeterReading(dimension, scope, 0, 0, Limit(dimension, 1), None)

    readings = [*map(reading, reversed(Dimension)), reading(Dimension.REQUESTS_PER_MINUTE, LimitScope.KEY)]
    names = [each.name for each in meters_of(readings, "USD")]
    assert names[:2] == ["money_per_month", "tokens_per_month"]
    assert len(names) == len(set(names)) == len(Dimension)
