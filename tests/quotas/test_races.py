"""Four processes at once: exactly what there is room for is admitted, and every reservation is closed once."""

from __future__ import annotations

import json
import time
from collections import Counter

import pytest

from quotas.api import EffectiveLimits, Outcome, Ticket, sweep
from tests.quotas.arrange import limits, period_counters, request, usage_events
from tests.quotas.callers import Reserving, Settling, run_processes

PROCESSES, CALLERS = 4, 250


def _race(acme: EffectiveLimits) -> tuple[int, float]:
    """How many of 1,000 concurrent callers in four processes were admitted, and the seconds it took."""
    answers, seconds = run_processes([Reserving(acme, tokens=10, micro=7, count=CALLERS)] * PROCESSES)
    assert [len(answer) for answer in answers] == [CALLERS] * PROCESSES
    return sum(map(sum, answers)), seconds


ROOMS = [
    ({"tokens_per_month": 1375}, 137),
    ({"money_per_month": 7 * 211}, 211),
    ({"concurrent_requests": 73}, 73),
    ({"concurrent_requests": 500, "tokens_per_month": 999_999, "money_per_month": 7 * 300 + 6}, 300),
]


@pytest.mark.parametrize(("given", "room"), ROOMS, ids=lambda value: "+".join(value) if isinstance(value, dict) else "")
def test_exactly_what_there_is_room_for_is_admitted(redis, keys, given: dict[str, int], room: int) -> None:
    acme = limits(**given)
    admitted, _ = _race(acme)
    assert admitted == room
    counters = period_counters(redis, keys, acme.tenant_id)
    assert counters["tokens_per_month:held"] == 10 * room
    assert counters["money_per_month:held"] == 7 * room
    assert redis.zcard(keys.expiry) == room


def test_a_hundred_a_minute_are_a_hundred_whatever_asks(keys) -> None:
    admitted, seconds = _race(limits(requests_per_minute=100))
    flowed_off = int(seconds * 100 / 60)  # none, unless the machine needs more than 0.6 s for 1,000 calls
    assert 100 <= admitted <= 100 + flowed_off


def _reserved(engine, acme: EffectiveLimits, count: int) -> list[Ticket]:
    asked = [request(acme, tokens=50, micro=9, input_tokens=20, input_micro=4) for _ in range(count)]
    return [engine.reserve(each).ticket for each in asked]


def test_however_many_settle_each_reservation_is_booked_once(engine, redis, keys) -> None:
    acme = limits(concurrent_requests=1000)
    tickets = _reserved(engine, acme, 300)
    answers, _ = run_processes([Settling(tickets, tokens=30, micro=5)] * PROCESSES)
    outcomes = Counter(outcome for answer in answers for outcome in answer)
    assert outcomes == {Outcome.BOOKED: 300, Outcome.ALREADY_CLOSED: 900}
    events = Counter(json.loads(event)["id"] for event in usage_events(redis, keys))
    assert events == {ticket.reservation_id: 1 for ticket in tickets}
    assert period_counters(redis, keys, acme.tenant_id) == {
        "tokens_per_month:used": 9000,
        "tokens_per_month:held": 0,
        "money_per_month:used": 1500,
        "money_per_month:held": 0,
    }


def test_sweep_against_settlement_closes_each_once_and_the_sums_agree(engine, redis, keys, monkeypatch) -> None:
    monkeypatch.setattr("quotas.engine.upkeep._BATCH", 10)
    acme = limits()
    tickets = _reserved(engine, acme, 800)
    for name in redis.zrange(keys.expiry, 0, -1):
        redis.zadd(keys.expiry, {name: 1})
    swept: list[int] = []

    def sweep_along() -> None:
        while redis.zcard(keys.expiry):
            swept.append(sweep(redis, limit=10).closed)
            time.sleep(0.001)

    shares = [Settling(tickets[process::PROCESSES], tokens=30, micro=5) for process in range(PROCESSES)]
    answers, _ = run_processes(shares, meanwhile=sweep_along)
    booked = sum(outcome is Outcome.BOOKED for answer in answers for outcome in answer)
    events = [json.loads(event) for event in usage_events(redis, keys)]
    abandoned = [event for event in events if event.get("status") == "abandoned"]
    assert len({event["id"] for event in events}) == len(events) == 800
    assert (len(abandoned), booked) == (sum(swept), 800 - sum(swept))
    counters = period_counters(redis, keys, acme.tenant_id)
    assert counters["tokens_per_month:used"] == 30 * booked + 20 * len(abandoned)
    assert counters["money_per_month:used"] == 5 * booked + 4 * len(abandoned)
    assert counters["tokens_per_month:held"] == counters["money_per_month:held"] == 0
