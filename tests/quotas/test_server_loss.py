"""The server is killed with -9 in the middle of traffic: nothing that was answered is forgotten, and all goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import Unavailable
from core.redis.pipe import RedisPipe
from quotas.api import EngineKeys, Outcome, QuotaEngine, QuotasRecovering, Ticket, recover
from quotas.engine import rebuild
from tests.quotas.arrange import limits, period_counters, request, usage_events
from tests.quotas.books import Books
from tests.valkey import Server, own_server

pytestmark = pytest.mark.faults


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with own_server(tmp_path, durable=request.param) as server:
        yield server


async def _until_connected(pipe: RedisPipe) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                await pipe.execute("PING")
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                return


async def _traffic(engine: QuotaEngine, acme, tickets: list[Ticket], failures: list[Exception]) -> None:
    """Reserve until the server is gone."""
    try:
        while True:
            admission = await engine.reserve(request(acme, tokens=100))
            assert admission.ticket is not None
            tickets.append(admission.ticket)
    except Unavailable as failure:
        failures.append(failure)


@pytest.mark.parametrize("server", [True], indirect=True)
async def test_what_was_answered_survives_a_kill_and_traffic_goes_on(server: Server) -> None:
    client, keys = server.start(), EngineKeys.of_installation()
    client.set(keys.epoch, "test")
    pipe = RedisPipe(server.url, timeout=2)
    await pipe.connect()
    engine, acme = QuotaEngine(pipe), limits()
    tickets: list[Ticket] = []
    failures: list[Exception] = []
    callers = [asyncio.create_task(_traffic(engine, acme, tickets, failures)) for _ in range(8)]
    await asyncio.sleep(0.3)
    server.kill()
    await asyncio.gather(*callers)
    assert len(failures) == 8
    assert tickets
    with pytest.raises(Unavailable):
        await engine.reserve(request(acme))

    client = server.start()
    await _until_connected(pipe)
    held = period_counters(client, keys, acme.tenant_id)["tokens_per_month:held"]
    unanswered = held // 100 - len(tickets)
    assert 0 <= unanswered <= 8  # decided, but the answer never left: swept later
    outcomes = [
        await engine.settle(ticket, input_tokens=10, output_tokens=0, micro=1, event=b"{}") for ticket in tickets
    ]
    assert set(outcomes) == {Outcome.BOOKED}
    counters = period_counters(client, keys, acme.tenant_id)
    assert counters["tokens_per_month:used"] == 10 * len(tickets)
    assert counters["tokens_per_month:held"] == 100 * unanswered
    assert len(usage_events(client, keys)) == len(tickets)
    assert client.zcard(keys.expiry) == unanswered
    await pipe.close()


@pytest.mark.parametrize("server", [False], indirect=True)
async def test_a_server_that_forgot_everything_is_rebuilt_from_the_books(server: Server, monkeypatch) -> None:
    acme = limits(tokens_per_month=1000)
    monkeypatch.setattr(rebuild, "_provider", [Books({acme.tenant_id: (700, 7)})])
    keys = EngineKeys.of_installation()
    server.start().set(keys.epoch, "test")
    pipe = RedisPipe(server.url, timeout=2)
    await pipe.connect()
    engine = QuotaEngine(pipe)
    open_ticket = (await engine.reserve(request(acme))).ticket
    assert open_ticket is not None
    server.kill()
    client = server.start()
    await _until_connected(pipe)
    with pytest.raises(QuotasRecovering):
        await engine.reserve(request(acme))
    assert recover(client) == 1
    outcome = await engine.settle(open_ticket, input_tokens=200, output_tokens=0, micro=2, event=b"{}")
    assert outcome is Outcome.BOOKED_WITHOUT_RESERVATION
    assert not (await engine.reserve(request(acme, tokens=101))).admitted
    assert (await engine.reserve(request(acme, tokens=100))).admitted
    await pipe.close()
