"""What is charged for a request that never left, and what waits for Redis in which order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import redis as redis_library

from billing.api import ChargeModel, Meter, PriceSheet, PriceTerms, SheetPrice, Tier
from core.redis import control, redis_url
from core.redis.pipe import RedisPipe
from proxy import pipeline
from proxy.pipeline import authenticate, reserve, route
from proxy.settlement import Settlement, Settler
from quotas.api import QuotaEngine
from tests.proxy.walks import exchange_for, running
from tests.proxy.world import World, make_world, model, sheet


def with_a_price_per_request() -> PriceSheet:
    each = SheetPrice("each", Meter.REQUESTS, "*", PriceTerms(ChargeModel.PER_UNIT, (Tier(None, Decimal("0.5")),)))
    plain = sheet()
    return replace(plain, prices=(*plain.prices, each))


async def test_a_client_that_left_before_anything_was_sent_is_charged_nothing(redis: redis_library.Redis) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    mute = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    port = mute.sockets[0].getsockname()[1]
    world = make_world(f"https://127.0.0.1:{port}/v1", model("m1", "real"))  # no TLS there: connecting takes long
    world.publish_tenant(prices=with_a_price_per_request())
    async with mute, running() as gateway:
        exchange = exchange_for(world.token, {"model": "m1", "messages": [{"role": "user", "content": "hello"}]})
        task = asyncio.create_task(pipeline.run(exchange, gateway))
        while exchange.admission is None:
            await asyncio.sleep(0.01)
        exchange.client_left()
        await task
        [event] = await asyncio.to_thread(world.wait_for_events, 1)
    assert (event["status"], event["input_tokens"], event["provisional_micro"]) == ("client_closed", 0, 0)


async def test_a_provider_that_failed_is_charged_nothing_not_even_for_the_moment(redis: redis_library.Redis) -> None:
    world = make_world()
    world.publish_tenant(prices=with_a_price_per_request())
    async with running() as gateway:
        await pipeline.run(exchange_for(world.token, {"model": "demo-500", "messages": [{"role": "user"}]}), gateway)
        [event] = await asyncio.to_thread(world.wait_for_events, 1)
    assert (event["status"], event["provisional_micro"]) == ("upstream_error", 0)


async def test_a_flood_of_give_backs_displaces_no_settlement(own_redis: None, world: World) -> None:
    async with running() as gateway:
        exchange = exchange_for(world.token)
        await authenticate.identify(exchange, gateway)
        await route.choose(exchange, gateway)
        await reserve.hold(exchange, gateway)
        pipe = RedisPipe(redis_url(), timeout=0.2)
        await pipe.connect()
        settler = Settler(QuotaEngine(pipe), 10)
        control().execute_command("CLIENT", "PAUSE", 700, "ALL")
        for number in range(50):
            settler.give_back(f"req_{number}", world.tenant_id)
        assert exchange.admission is not None
        assert exchange.admission.ticket is not None
        event = reserve.fact_json(exchange, "ok", (1, 0, 1), micro=1, estimated=False)
        await settler.book(Settlement(exchange.admission.ticket, 1, 1, 1, event))
        assert (settler.lost, len(settler)) == (40, 11)
        assert await settler.drain(10) == 0
        await pipe.close()
    assert [event["id"] for event in world.wait_for_events(1)] == [exchange.id]
