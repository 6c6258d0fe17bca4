"""The rate's arithmetic as the server runs it, against exact fractions: nothing is rounded, nobody gets more."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.redis.pipe import Script
from quotas.data import MINUTE_US, MOST
from quotas.engine.blocking import run_script
from quotas.engine.scripts import COMMON, RESERVE

# Plays a list of (amount, time) into one bucket and tells, for each, what was in it before: the texts of the state.
PLAY = Script(
    "test.bucket",
    COMMON
    + """
local states, stored = {}, false
for i = 3, #ARGV, 2 do
  local whole, part, at = bucket(stored, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[i + 1]))
  states[#states + 1] = state(whole, part, at)
  stored = state(whole + tonumber(ARGV[i]), part, at)
end
return states
""",
)
NOW = 1_795_232_679_037_000

amounts = st.one_of(st.integers(0, 100), st.integers(0, 10**9))
pauses = st.one_of(st.integers(-1000, 10**6), st.integers(0, 3 * MINUTE_US), st.sampled_from([0, 1, MINUTE_US]))
limit_values = st.one_of(st.integers(1, 10**4), st.integers(1, MOST), st.sampled_from([7, 60, MINUTE_US, MOST]))


def _played(redis, limit: int, steps: list[tuple[int, int]]) -> list[Fraction]:
    reply = run_script(redis, PLAY, (), [limit, MINUTE_US, *(number for step in steps for number in step)])
    parts = [[int(number) for number in text.split(b":")] for text in reply]
    assert all(0 <= part < MINUTE_US for _, part, _ in parts)
    return [whole + Fraction(part, MINUTE_US) for whole, part, _ in parts]


def _expected(limit: int, steps: list[tuple[int, int]]) -> list[Fraction]:
    """The same leaky bucket in exact fractions, as ITU-T I.371 has it."""
    levels, level, at = [], Fraction(0), None
    for amount, now in steps:
        if at is not None and now > at:
            level = max(Fraction(0), level - Fraction((now - at) * limit, MINUTE_US))
        at = now if at is None else max(at, now)
        levels.append(level)
        level += amount
    return levels


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=limit_values, moves=st.lists(st.tuples(amounts, pauses), min_size=1, max_size=25))
def test_the_bucket_is_exact_to_the_last_fraction(redis, limit: int, moves: list[tuple[int, int]]) -> None:
    steps, now = [], NOW
    for amount, pause in moves:
        now += pause
        steps.append((amount, now))
    assert _played(redis, limit, steps) == _expected(limit, steps)


@pytest.mark.parametrize("limit", [1, 7, 60, 100, 7919, 10**6, MOST])
def test_a_full_bucket_is_empty_after_exactly_one_window(redis, limit: int) -> None:
    steps = [(limit, NOW), (0, NOW + MINUTE_US - 1), (0, NOW + MINUTE_US)]
    _, almost, empty = _played(redis, limit, steps)
    assert almost == Fraction(limit, MINUTE_US)
    assert empty == 0


def test_a_clock_that_steps_back_leaks_nothing_and_nothing_twice(redis) -> None:
    steps = [(100, NOW), (0, NOW - 10**7), (0, NOW), (0, NOW + MINUTE_US // 2)]
    assert _played(redis, 100, steps) == [0, 100, 100, 50]


def test_a_limit_of_nothing_keeps_what_is_in_it(redis) -> None:
    assert _played(redis, 0, [(5, NOW), (0, NOW + 100 * MINUTE_US)]) == [0, 5]


def test_the_tested_arithmetic_is_the_one_in_use() -> None:
    assert COMMON in RESERVE.text
    assert "bucket(stored, limit, window, now)" in RESERVE.text
