"""The gateway's engine over its own connection: the same answers as the blocking one, and meters for people."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from core.clock import utc_now
from core.redis import redis_url
from core.redis.pipe import RedisPipe
from quotas.api import Limit, LimitScope, Outcome, QuotaEngine, QuotaExceeded
from tests.quotas.arrange import CONCURRENT, MONEY, MONTH, REQUESTS, TOKENS, limits, request, usage_events


@pytest.fixture
async def gateway(keys) -> AsyncIterator[QuotaEngine]:
    pipe = RedisPipe(redis_url())
    await pipe.connect()
    yield QuotaEngine(pipe)
    await pipe.close()


async def test_reserve_settle_and_release_over_the_gateways_connection(gateway, redis, keys) -> None:
    acme = limits(requests_per_minute=2)
    first, second, third = [await gateway.reserve(request(acme)) for _ in range(3)]
    assert [first.admitted, second.admitted, third.admitted] == [True, True, False]
    booked = await gateway.settle(first.ticket, input_tokens=3, output_tokens=4, micro=5, event=b"E")
    assert booked is Outcome.BOOKED
    assert await gateway.release(second.ticket) is Outcome.BOOKED
    assert usage_events(redis, keys) == [b"E"]


async def test_callers_that_wait_together_share_the_way_and_get_their_own_answers(gateway) -> None:
    acme = limits(tokens_per_month=50 * 100)
    answers = await asyncio.gather(*(gateway.reserve(request(acme)) for _ in range(80)))
    assert sum(answer.admitted for answer in answers) == 50
    tickets = {answer.ticket.reservation_id for answer in answers if answer.ticket}
    assert len(tickets) == 50


async def test_meters_show_what_is_used_held_and_when_it_resets(gateway) -> None:
    acme = limits(Limit(MONEY, 1000, hard=False), requests_per_minute=60, tokens_per_minute=600, concurrent_requests=4)
    settled = (await gateway.reserve(request(acme, tokens=100, micro=50))).ticket
    await gateway.settle(settled, input_tokens=20, output_tokens=10, micro=15, event=b"{}")
    await gateway.reserve(request(acme, tokens=100, micro=50))
    now = utc_now()
    meters = {reading.dimension: reading for reading in await gateway.peek(acme, now=now)}
    assert set(meters) == {REQUESTS, TOKENS, MONTH, MONEY, CONCURRENT}
    assert (meters[MONTH].used, meters[MONTH].held, meters[MONTH].percent) == (30, 100, None)
    assert (meters[MONEY].used, meters[MONEY].held, meters[MONEY].percent) == (15, 50, 6)
    assert not meters[MONEY].limit.hard
    assert 1 <= meters[REQUESTS].used <= 2
    assert 100 <= meters[TOKENS].used <= 130
    assert 0 < (meters[TOKENS].resets_at - now).total_seconds() <= 13
    assert (meters[CONCURRENT].used, meters[CONCURRENT].resets_at) == (1, None)
    first_of_next = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
    assert meters[MONEY].resets_at == first_of_next


async def test_meters_of_an_untouched_tenant_are_at_nothing(gateway) -> None:
    readings = await gateway.peek(limits(requests_per_minute=60), now=utc_now())
    assert {(reading.used, reading.held) for reading in readings} == {(0, 0)}
    assert next(reading for reading in readings if reading.dimension is REQUESTS).resets_at is None


async def test_a_keys_meters_follow_its_tenants(gateway) -> None:
    acme, own = limits(), (Limit(REQUESTS, 5), Limit(MONTH, 0), Limit(TOKENS, 0))
    readings = await gateway.peek(acme, now=utc_now(), key_id="k1", key_limits=own)
    scopes = [reading.scope for reading in readings]
    assert scopes == [LimitScope.TENANT] * 3 + [LimitScope.KEY] * 3
    assert {reading.percent for reading in readings if reading.limit.value == 0} == {100}


async def test_the_errors_of_a_denial_carry_openais_codes(gateway) -> None:
    rate = (await gateway.reserve(request(limits(requests_per_minute=0)))).denial
    month = (await gateway.reserve(request(limits(tokens_per_month=7), tokens=100))).denial
    level = (await gateway.reserve(request(limits(concurrent_requests=0)))).denial
    errors = [QuotaExceeded.of(denial) for denial in (rate, month, level)]
    assert [error.code for error in errors] == ["rate_limit_exceeded", "insufficient_quota", "rate_limit_exceeded"]
    assert {error.status for error in errors} == {429}
    assert "retry-after" not in errors[0].headers
    assert "waiting does not help" in errors[0].message
    assert errors[1].headers["retry-after"] == str(errors[1].reset_seconds)
    assert (errors[1].dimension, errors[1].limit, errors[1].remaining) == (MONTH, 7, 7)
    assert errors[1].next_step == f"Try again in {errors[1].reset_seconds} s"


async def test_the_headers_figures_are_true(gateway) -> None:
    acme = limits(requests_per_minute=60, tokens_per_minute=100_000)
    began = time.monotonic()
    seen = [(await gateway.reserve(request(acme, tokens=1000))).tokens for _ in range(30)]
    leaked = (time.monotonic() - began) * 100_000 / 60
    for number, window in enumerate(seen, start=1):
        assert 100_000 - 1000 * number <= window.remaining <= 100_000 - 1000 * number + leaked
        taken = 100_000 - window.remaining  # 0.6 ms for each to flow off
        assert (taken - 1) * 0.6 <= window.reset_ms <= taken * 0.6 + 1
