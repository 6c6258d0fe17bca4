"""Billing periods: half-open, without gap or overlap, true to their anchor."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.periods import Cadence, period_of

ZONES = ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"]
instants = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def utc(*parts: int) -> datetime:
    year, month, day, hour, minute, *_ = (*parts, 0, 0)
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "starts", "ends"),
    [
        (utc(2024, 1, 31), utc(2024, 1, 31), utc(2024, 2, 29)),
        (utc(2024, 2, 29), utc(2024, 2, 29), utc(2024, 3, 31)),  # the anchor's day comes back
        (utc(2023, 2, 28), utc(2023, 2, 28), utc(2023, 3, 31)),
        (utc(2024, 4, 29), utc(2024, 3, 31), utc(2024, 4, 30)),
        (utc(2025, 1, 30), utc(2024, 12, 31), utc(2025, 1, 31)),
    ],
)
def test_an_anniversary_on_the_31st_stays_the_last_day(instant: datetime, starts: datetime, ends: datetime) -> None:
    period = period_of(instant, anchor=utc(2024, 1, 31, 10), cadence=Cadence.ANNIVERSARY_MONTH)
    assert (period.starts_at, period.ends_at) == (starts, ends)


def test_a_calendar_month_starts_at_local_midnight() -> None:
    period = period_of(utc(2026, 11, 30, 18, 15), anchor=utc(2026, 1, 1), zone="Asia/Kathmandu")
    assert period.starts_at == utc(2026, 11, 30, 18, 15)
    assert period.ends_at == utc(2026, 12, 31, 18, 15)


@given(instants, instants, st.sampled_from(Cadence), st.sampled_from(ZONES))
def test_each_instant_falls_in_exactly_one_period(
    instant: datetime, anchor: datetime, cadence: Cadence, zone: str
) -> None:
    period = period_of(instant, anchor=anchor, cadence=cadence, zone=zone)
    assert instant in period
    following = period_of(period.ends_at, anchor=anchor, cadence=cadence, zone=zone)
    assert following.starts_at == period.ends_at
    assert period.ends_at not in period
    last = period_of(period.ends_at - timedelta(microseconds=1), anchor=anchor, cadence=cadence, zone=zone)
    assert last == period
