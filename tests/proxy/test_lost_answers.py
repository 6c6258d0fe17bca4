"""A reservation whose answer never came: the request was refused, so nothing may stay held and nothing be charged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import redis as redis_library

from core.redis import control, key
from proxy.errors import NotReady
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.pipeline import authenticate, reserve, route, settle
from quotas.api import EngineKeys, calendar_month
from tests.proxy.walks import exchange_for, running
from tests.proxy.world import World

pytestmark = pytest.mark.usefixtures("own_redis")


@pytest.fixture
async def gateway(world: World) -> AsyncIterator[Gateway]:
    """It has served before, so that Redis knows the scripts."""
    async with running() as running_gateway:
        first = await routed(running_gateway, world)
        await reserve.hold(first, running_gateway)
        assert first.admission is not None
        assert first.admission.ticket is not None
        await running_gateway.engine.release(first.admission.ticket)
        yield running_gateway


async def routed(gateway: Gateway, world: World) -> Exchange:
    exchange = exchange_for(world.token)
    await authenticate.identify(exchange, gateway)
    await route.choose(exchange, gateway)
    return exchange


def hold_up_redis(milliseconds: int) -> None:
    """Redis takes commands and carries them out later, as on a machine that swaps."""
    control().execute_command("CLIENT", "PAUSE", milliseconds, "ALL")


async def assert_given_back(gateway: Gateway, exchange: Exchange) -> None:
    async with asyncio.timeout(10):
        while len(gateway.settler):
            await asyncio.sleep(0.02)
    assert exchange.tenant is not None
    names, redis = EngineKeys.of_installation(), control()
    month = calendar_month(int(datetime.now(UTC).timestamp())).id
    assert redis.get(names.reservation(exchange.tenant.id, exchange.id)) == b"R"
    counters = redis.hgetall(names.period(exchange.tenant.id, month))
    assert {name: int(counters[name]) for name in counters if b":" in name and b":told" not in name} == {
        b"tokens_per_month:used": 0,
        b"tokens_per_month:held": 0,
        b"money_per_month:used": 0,
        b"money_per_month:held": 0,
    }
    assert redis.zcard(names.expiry) == redis.xlen(key("usage")) == 0


async def test_a_reservation_that_is_made_after_the_time_out_is_given_back(
    redis: redis_library.Redis, gateway: Gateway, world: World
) -> None:
    exchange = await routed(gateway, world)
    hold_up_redis(1_500)
    with pytest.raises(NotReady):
        await reserve.hold(exchange, gateway)
    await settle.close(exchange, gateway)
    await assert_given_back(gateway, exchange)


async def test_a_reservation_that_nobody_waits_for_any_more_is_given_back(
    redis: redis_library.Redis, gateway: Gateway, world: World
) -> None:
    exchange = await routed(gateway, world)
    hold_up_redis(300)
    holding = asyncio.create_task(reserve.hold(exchange, gateway))
    await asyncio.sleep(0.05)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    await settle.close(exchange, gateway)
    await assert_given_back(gateway, exchange)


async def test_nothing_is_given_back_when_nothing_was_sent(gateway: Gateway, world: World) -> None:
    exchange = await routed(gateway, world)
    await gateway.pipe.close()
    with pytest.raises(NotReady):
        await reserve.hold(exchange, gateway)
    assert len(gateway.settler) == 0
