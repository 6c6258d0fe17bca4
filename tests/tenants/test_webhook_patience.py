"""When deliveries are tried again and endpoints given up: pure."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tenants.webhooks.patience import PAUSES, is_hopeless, retry_after, wait_after

DAY = timedelta(days=1)


def test_pauses_grow_vary_a_tenth_and_end() -> None:
    assert wait_after(1, 0.5) == timedelta(seconds=5)
    assert [wait_after(number + 1, 0.5) for number in range(len(PAUSES))] == list(PAUSES)
    assert wait_after(2, 0.0) == timedelta(seconds=270)
    assert wait_after(2, 1.0) == timedelta(seconds=330)
    assert wait_after(len(PAUSES) + 1, 0.5) is None


def test_a_receiver_can_ask_for_more_patience_but_not_for_less_or_for_ever() -> None:
    assert wait_after(1, 0.5, timedelta(minutes=10)) == timedelta(minutes=10)
    assert wait_after(3, 0.5, timedelta(seconds=1)) == timedelta(minutes=30)
    assert wait_after(1, 0.5, timedelta(days=30)) == DAY


@pytest.mark.parametrize(
    ("failures", "days", "hopeless"),
    [(1, 4.9, False), (1, 5, True), (99, 1, False), (100, 0.4, False), (100, 0.5, True)],
)
def test_an_endpoint_is_given_up_after_days_or_after_many_failures(failures: int, days: float, hopeless: bool) -> None:
    assert is_hopeless(failures, days * DAY) is hopeless


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("5", 5), (" 60 ", 60), ("", None), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("٣", None)],
)
def test_retry_after_in_seconds_is_understood(header: str, seconds: int | None) -> None:
    assert retry_after(header) == (None if seconds is None else timedelta(seconds=seconds))
