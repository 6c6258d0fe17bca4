"""How a reservation ends: settled, released or swept, once, on the keys that it held."""

from __future__ import annotations

import pytest

from core.clock import utc_now
from core.ids import new_ulid
from quotas.api import AmountNotUsable, BlockingQuotaEngine, Limit, Outcome, Period, Ticket, sweep
from tests.quotas.arrange import (
    CONCURRENT,
    REQUESTS,
    TOKENS,
    everything,
    limits,
    period_counters,
    request,
    server_seconds,
    settle,
    usage_events,
)


def _used(redis, keys, tenant_id: str) -> tuple[int, int, int, int]:
    counters = period_counters(redis, keys, tenant_id)
    return (
        counters["tokens_per_month:used"],
        counters["tokens_per_month:held"],
        counters["money_per_month:used"],
        counters["money_per_month:held"],
    )


def _rates(engine: BlockingQuotaEngine, acme) -> dict:
    return {reading.dimension: reading.used for reading in engine.peek(acme, now=utc_now())}


def test_settlement_replaces_what_was_held_by_what_was_used(engine, redis, keys) -> None:
    acme = limits()
    ticket = engine.reserve(request(acme, tokens=100, micro=50)).ticket
    outcome = engine.settle(ticket, input_tokens=20, output_tokens=13, micro=17, event=b'{"id":"x"}')
    assert outcome is Outcome.BOOKED
    assert _used(redis, keys, acme.tenant_id) == (33, 0, 17, 0)
    assert usage_events(redis, keys) == [b'{"id":"x"}']
    assert redis.zcard(keys.expiry) == 0


def test_a_second_settlement_does_nothing(engine, redis, keys) -> None:
    acme = limits(tokens_per_minute=1000)
    ticket = engine.reserve(request(acme)).ticket
    settle(engine, ticket)
    before = everything(redis)
    assert settle(engine, ticket, tokens=99) is Outcome.ALREADY_CLOSED
    assert engine.release(ticket) is Outcome.ALREADY_CLOSED
    assert everything(redis) == before
    assert 3_590_000 < redis.pttl(keys.reservation(acme.tenant_id, ticket.reservation_id)) <= 3_600_000


def test_settlement_corrects_the_token_rate_both_ways(engine) -> None:
    acme = limits(tokens_per_minute=6000)
    less = engine.reserve(request(acme, tokens=1000)).ticket
    settle(engine, less, tokens=100)
    assert 0 <= _rates(engine, acme)[TOKENS] <= 100
    more = engine.reserve(request(acme, tokens=1000)).ticket
    settle(engine, more, tokens=5000)
    assert 4900 <= _rates(engine, acme)[TOKENS] <= 5100


def test_more_than_was_reserved_is_booked_even_above_the_limit(engine, redis, keys) -> None:
    acme = limits(tokens_per_month=200, tokens_per_minute=200, money_per_month=60)
    ticket = engine.reserve(request(acme, tokens=100, micro=50)).ticket
    settle(engine, ticket, tokens=500, micro=90)
    assert _used(redis, keys, acme.tenant_id) == (500, 0, 90, 0)
    denial = engine.reserve(request(acme, tokens=1, micro=1)).denial
    assert denial is not None
    assert denial.remaining == 0
    rates = keys.tenant(acme.tenant_id) + ":rates"
    assert redis.pttl(rates) > 140_000  # 500 tokens at 200 a minute take 150 s to flow off


def test_settlement_frees_the_concurrent_place(engine) -> None:
    acme = limits(concurrent_requests=1)
    ticket = engine.reserve(request(acme)).ticket
    assert not engine.reserve(request(acme)).admitted
    settle(engine, ticket)
    assert engine.reserve(request(acme)).admitted


def test_settlement_closes_the_keys_meters_too(engine, redis, keys) -> None:
    acme = limits()
    own = (Limit(REQUESTS, 9), Limit(TOKENS, 999), Limit(CONCURRENT, 1))
    ticket = engine.reserve(request(acme, key_id="k1", key_limits=own)).ticket
    assert not engine.reserve(request(acme, key_id="k1", key_limits=own)).admitted
    settle(engine, ticket)
    assert engine.reserve(request(acme, key_id="k1", key_limits=own)).admitted


def test_release_gives_everything_back_and_writes_no_event(engine, redis, keys) -> None:
    acme = limits(requests_per_minute=1, tokens_per_minute=100, tokens_per_month=100, concurrent_requests=1)
    for _ in range(3):
        admission = engine.reserve(request(acme, tokens=100))
        assert admission.admitted
        assert engine.release(admission.ticket) is Outcome.BOOKED
    assert _used(redis, keys, acme.tenant_id) == (0, 0, 0, 0)
    assert usage_events(redis, keys) == []
    assert settle(engine, admission.ticket) is Outcome.ALREADY_CLOSED


def test_releasing_the_unknown_does_nothing(engine, redis, keys) -> None:
    before = everything(redis)
    assert engine.release(Ticket("req_never", new_ulid(), b"")) is Outcome.UNKNOWN
    assert everything(redis) == before


def test_a_reservation_that_redis_lost_is_booked_and_emitted_once(engine, redis, keys) -> None:
    acme = limits(tokens_per_minute=1000)
    ticket = engine.reserve(request(acme)).ticket
    redis.flushdb()
    assert settle(engine, ticket, tokens=40, micro=7, event=b"E") is Outcome.BOOKED_WITHOUT_RESERVATION
    assert settle(engine, ticket, tokens=40, micro=7, event=b"E") is Outcome.ALREADY_CLOSED
    assert _used(redis, keys, acme.tenant_id) == (40, 0, 7, 0)
    assert usage_events(redis, keys) == [b"E"]
    assert 39 <= _rates(engine, acme)[TOKENS] <= 40


def test_settlement_lands_in_the_period_that_was_reserved(redis, keys) -> None:
    now = server_seconds(redis)
    running = [Period("november", now - 100, now + 2)]
    engine = BlockingQuotaEngine(redis, find_period=lambda second: running[-1])
    acme = limits()
    ticket = engine.reserve(request(acme, tokens=100)).ticket
    running.append(Period("december", now + 2, now + 9999))
    while server_seconds(redis) < now + 2:
        pass
    assert engine.reserve(request(acme, tokens=70)).admitted
    settle(engine, ticket, tokens=30)
    november = period_counters(redis, keys, acme.tenant_id, "november")
    december = period_counters(redis, keys, acme.tenant_id, "december")
    assert (november["tokens_per_month:used"], november["tokens_per_month:held"]) == (30, 0)
    assert (december["tokens_per_month:used"], december["tokens_per_month:held"]) == (0, 70)


def test_amounts_that_could_not_be_counted_are_not_booked(engine, redis, keys) -> None:
    ticket = engine.reserve(request(limits())).ticket
    before = everything(redis)
    for tokens, micro in ((-1, 0), (0, -1), (10**15 + 1, 0), (0, 10**15 + 1)):
        with pytest.raises(AmountNotUsable):
            settle(engine, ticket, tokens=tokens, micro=micro)
    assert everything(redis) == before


def _expire(redis, keys) -> None:
    """As if every open reservation had run out."""
    for name in redis.zrange(keys.expiry, 0, -1):
        redis.zadd(keys.expiry, {name: 1})


def test_the_sweep_charges_the_input_estimate_and_writes_the_abandoned_event(engine, redis, keys) -> None:
    acme = limits(tokens_per_minute=1000, concurrent_requests=1)
    asked = request(acme, tokens=100, micro=50, input_tokens=20, input_micro=10)
    ticket = engine.reserve(asked).ticket
    assert sweep(redis).closed == 0  # not expired yet
    _expire(redis, keys)
    assert sweep(redis).closed == 1
    assert _used(redis, keys, acme.tenant_id) == (20, 0, 10, 0)
    assert usage_events(redis, keys) == [asked.abandoned_event]
    assert 0 <= _rates(engine, acme)[TOKENS] <= 20
    assert engine.reserve(request(acme)).admitted  # the place is free
    assert redis.zcard(keys.expiry) == 1
    assert settle(engine, ticket) is Outcome.ALREADY_CLOSED  # late: never twice
    assert len(usage_events(redis, keys)) == 1


def test_the_sweep_leaves_alone_what_was_settled_in_time(engine, redis, keys) -> None:
    tickets = [engine.reserve(request(limits(), ttl_ms=1)).ticket for _ in range(3)]
    for ticket in tickets:
        settle(engine, ticket)
    swept = sweep(redis)
    assert (swept.closed, swept.vanished) == (0, 0)
    assert len(usage_events(redis, keys)) == 3


def test_the_sweep_goes_on_in_batches_up_to_its_limit(engine, redis, keys) -> None:
    acme = limits()
    for _ in range(450):
        engine.reserve(request(acme))
    _expire(redis, keys)
    assert sweep(redis, limit=200).closed == 200
    assert sweep(redis).closed == 250
    assert sweep(redis).closed == 0
    assert len(usage_events(redis, keys)) == 450
    assert period_counters(redis, keys, acme.tenant_id)["tokens_per_month:held"] == 0


def test_the_sweep_forgets_entries_without_a_reservation_and_says_so(engine, redis, keys) -> None:
    acme = limits()
    ticket = engine.reserve(request(acme)).ticket
    redis.delete(keys.reservation(acme.tenant_id, ticket.reservation_id))
    _expire(redis, keys)
    swept = sweep(redis)
    assert (swept.closed, swept.vanished) == (0, 1)
    assert redis.zcard(keys.expiry) == 0
    assert usage_events(redis, keys) == []


def test_what_expires_is_swept_by_the_servers_clock_alone(engine, redis, keys) -> None:
    engine.reserve(request(limits(), ttl_ms=1))
    while not sweep(redis).closed:
        pass
    assert len(usage_events(redis, keys)) == 1


def test_tokens_without_price_and_prices_without_tokens_are_booked(engine, redis, keys) -> None:
    acme = limits()
    settle(engine, engine.reserve(request(acme, tokens=0, micro=5)).ticket, tokens=0, micro=5)
    settle(engine, engine.reserve(request(acme, tokens=5, micro=0)).ticket, tokens=5, micro=0)
    assert _used(redis, keys, acme.tenant_id) == (5, 0, 5, 0)
