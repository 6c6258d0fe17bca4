"""Books that could not be closed at once: kept and repeated, each once, or left to the sweeper and counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from core.ids import new_ulid
from core.redis.pipe import RedisPipe
from proxy.settlement import Settlement, Settler
from quotas.api import EffectiveLimits, EngineKeys, QuotaEngine, Ticket, calendar_month
from tests.quotas.arrange import limits, period_counters, request, server_seconds, usage_events
from tests.valkey import Server, own_server

KEYS = EngineKeys.of_installation()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with own_server(tmp_path, durable=True) as server:
        server.start().set(KEYS.epoch, "test")
        yield server


@pytest.fixture
async def engine(server: Server) -> AsyncIterator[QuotaEngine]:
    pipe = RedisPipe(server.url, timeout=1)
    await pipe.connect()
    yield QuotaEngine(pipe)
    await pipe.close()


async def reserved(engine: QuotaEngine, whose: EffectiveLimits | None = None) -> Settlement:
    """A reservation of 100 tokens, with the books that close it: 30 tokens."""
    admission = await engine.reserve(request(whose or limits(), tokens=100))
    assert admission.ticket is not None
    event = json.dumps({"id": admission.ticket.reservation_id}).encode()
    return Settlement(admission.ticket, input_tokens=20, output_tokens=10, micro=15, event=event)


async def is_done(settler: Settler) -> None:
    async with asyncio.timeout(15):
        while len(settler):
            await asyncio.sleep(0.02)


def booked(server: Server) -> list[str]:
    return [json.loads(event)["id"] for event in usage_events(server.client(), KEYS)]


def tokens(server: Server, ticket: Ticket) -> tuple[int, int]:
    """Used and held by the tenant this month."""
    counters = period_counters(server.client(), KEYS, ticket.tenant_id)
    return counters["tokens_per_month:used"], counters["tokens_per_month:held"]


async def test_books_are_closed_at_once_when_redis_answers(server: Server, engine: QuotaEngine) -> None:
    settler, settlement = Settler(engine, backlog=10), await reserved(engine)
    await settler.book(settlement)
    assert len(settler) == settler.lost == 0
    assert booked(server) == [settlement.ticket.reservation_id]
    assert tokens(server, settlement.ticket) == (30, 0)


async def test_books_that_redis_did_not_take_are_repeated_in_order_until_it_does(
    server: Server, engine: QuotaEngine
) -> None:
    settler = Settler(engine, backlog=10)
    settlements = [await reserved(engine) for _ in range(3)]
    server.kill()
    for settlement in settlements:
        await settler.book(settlement)
    assert (len(settler), settler.lost) == (3, 0)
    server.start()
    await is_done(settler)
    assert booked(server) == [settlement.ticket.reservation_id for settlement in settlements]
    assert {tokens(server, settlement.ticket) for settlement in settlements} == {(30, 0)}
    assert settler.lost == 0


async def test_books_whose_answer_nobody_waited_for_are_closed_once(server: Server, engine: QuotaEngine) -> None:
    settler, settlement = Settler(engine, backlog=10), await reserved(engine)
    server.client().execute_command("CLIENT", "PAUSE", 300, "ALL")
    booking = asyncio.create_task(settler.book(settlement))
    await asyncio.sleep(0.05)
    booking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await booking
    assert len(settler) == 1
    await is_done(settler)
    assert booked(server) == [settlement.ticket.reservation_id]
    assert tokens(server, settlement.ticket) == (30, 0)


async def test_what_does_not_fit_the_backlog_is_counted_and_left_to_the_sweeper(
    server: Server, engine: QuotaEngine
) -> None:
    settler = Settler(engine, backlog=1)
    kept, left = await reserved(engine), await reserved(engine)
    server.kill()
    await settler.book(kept)
    await settler.book(left)
    assert (len(settler), settler.lost) == (1, 1)
    server.start()
    await is_done(settler)
    assert booked(server) == [kept.ticket.reservation_id]
    assert tokens(server, left.ticket) == (0, 100)
    assert server.client().zrange(KEYS.expiry, 0, -1) == [
        KEYS.reservation(left.ticket.tenant_id, left.ticket.reservation_id).encode()
    ]


async def test_books_that_redis_refuses_for_good_do_not_hold_up_the_others(server: Server, engine: QuotaEngine) -> None:
    broken = limits(tenant_id=new_ulid())
    settler = Settler(engine, backlog=10)
    hopeless, fine = await reserved(engine, broken), await reserved(engine)
    month = calendar_month(server_seconds(server.client())).id
    server.client().set(KEYS.period(broken.tenant_id, month), "no counters")
    server.kill()
    await settler.book(hopeless)
    await settler.book(fine)
    server.start()
    await is_done(settler)
    assert (settler.lost, booked(server)) == (1, [fine.ticket.reservation_id])


async def test_amounts_that_can_never_be_booked_are_counted_at_once(server: Server, engine: QuotaEngine) -> None:
    settler, settlement = Settler(engine, backlog=10), await reserved(engine)
    settlement.micro = -1
    await settler.book(settlement)
    assert (len(settler), settler.lost, booked(server)) == (0, 1, [])


async def test_a_reservation_is_given_back_once_redis_is_there_again(server: Server, engine: QuotaEngine) -> None:
    settler, settlement = Settler(engine, backlog=10), await reserved(engine)
    server.kill()
    settler.give_back(settlement.ticket.reservation_id, settlement.ticket.tenant_id)
    assert len(settler) == 1
    server.start()
    await is_done(settler)
    assert (tokens(server, settlement.ticket), booked(server)) == ((0, 0), [])


async def test_a_process_that_ends_waits_for_its_books_but_not_for_ever(server: Server, engine: QuotaEngine) -> None:
    settler = Settler(engine, backlog=10)
    assert await settler.drain(0.1) == 0
    first, second = await reserved(engine), await reserved(engine)
    server.client().execute_command("CLIENT", "PAUSE", 200, "ALL")
    settler.give_back(first.ticket.reservation_id, first.ticket.tenant_id)
    assert await settler.drain(10) == 0
    server.kill()
    await settler.book(second)
    assert await settler.drain(0.1) == 1
