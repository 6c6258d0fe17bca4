"""The fake provider and the load generator count the same things."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import uvloop

from benchmarks.load import Plan, Target, percentile, run_load, stream_events
from benchmarks.relay import start_relay
from benchmarks.upstream import Stats, start_provider


@pytest.fixture
async def provider() -> AsyncIterator[tuple[Target, Stats]]:
    server, stats = await start_provider("127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield Target(f"http://127.0.0.1:{port}/v1"), stats
    server.close()
    await server.wait_closed()


async def test_both_sides_count_the_same_requests_over_kept_connections(provider):
    target, stats = provider
    result = await run_load(target, Plan(target.request("bench-8", stream=False), connections=3, each=20))
    assert (result.requests, result.failed, result.connections) == (60, 0, 3)
    assert (stats.requests, stats.connections) == (60, 3)


async def test_both_sides_count_the_same_chunks_of_a_stream(provider):
    target, stats = provider
    plan = Plan(target.request("bench-50", stream=True), connections=2, each=5, events=stream_events("bench-50"))
    result = await run_load(target, plan)
    assert result.failed == 0
    assert stats.chunks == 2 * 5 * 50
    assert result.events == 2 * 5 * (50 + 2)
    assert len(result.first_tokens) == 10


async def test_a_paced_stream_keeps_its_pace_and_shows_no_stall(provider):
    target, _ = provider
    plan = Plan(target.request("bench-5x20", stream=True), connections=1, each=1, events=stream_events("bench-5x20"))
    result = await run_load(target, plan)
    assert 0.09 <= result.latencies[0] < 1
    assert result.first_tokens[0] < 0.09
    assert result.stalled(longest=0.01) == 1
    assert result.stalled(longest=1) == 0


async def test_headers_overrule_the_model_name(provider):
    target, stats = provider
    request = target.request("bench-50", stream=True, headers={"x-bench-chunks": "3"})
    result = await run_load(target, Plan(request, connections=1, each=1, events=3 + 2))
    assert (result.failed, stats.chunks) == (0, 3)


async def test_a_stream_that_ends_early_is_an_error_and_not_a_result(provider):
    target, _ = provider
    plan = Plan(target.request("bench-3", stream=True), connections=1, each=1, events=stream_events("bench-4"))
    result = await run_load(target, plan)
    assert (result.requests, result.errors) == (0, {"cut short": 1})


async def test_a_refused_request_is_an_error_with_its_status_and_code(provider):
    target, _ = provider
    elsewhere = Target(target.base_url + "/nowhere-near")
    request = elsewhere.request("bench-1", stream=False).replace(b"/chat/completions", b"/nothing")
    result = await run_load(elsewhere, Plan(request, connections=1, each=2))
    assert (result.requests, result.errors) == (0, {"status 404 not_found": 2})


async def test_a_connection_lost_in_the_answer_is_an_error():
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nda")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    result = await run_load(target, Plan(target.request("bench-1", stream=True), connections=1, each=1, events=3))
    server.close()
    assert (result.requests, result.errors) == (0, {"connection lost": 1})


async def test_what_starts_in_the_warm_up_is_not_counted(provider):
    target, stats = provider
    plan = Plan(target.request("bench-1", stream=False), connections=1, seconds=0.3, warm_seconds=0.2)
    result = await run_load(target, plan)
    assert 0 < result.requests < stats.requests


async def test_stats_are_served_and_usage_is_the_number_of_chunks(provider):
    target, _ = provider
    async with httpx.AsyncClient(base_url=target.base_url.removesuffix("/v1")) as client:
        asked = {"model": "bench-7", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
        text = (await client.post("/v1/chat/completions", json=asked)).text
        assert '"completion_tokens":7' in text.split("\n\n")[-3]
        assert text.endswith("data: [DONE]\n\n")
        stats = (await client.get("/stats")).json()
    assert stats["requests"] == 1
    assert stats["open_streams"] == 0


def test_percentiles_are_nearest_rank():
    assert percentile([], 50) == 0
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(100)], 99) == 99.0


def test_both_run_on_the_loop_that_measures():
    async def measure() -> tuple[int, int]:
        server, stats = await start_provider("127.0.0.1", 0)
        target = Target(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        plan = Plan(target.request("bench-3", stream=True), connections=2, each=3, events=stream_events("bench-3"))
        result = await run_load(target, plan)
        server.close()
        return result.requests, stats.chunks

    assert uvloop.run(measure()) == (6, 18)


async def test_a_bare_relay_passes_every_chunk_on(provider):
    target, stats = provider
    relay = await start_relay(target.address[1])
    plan = Plan(target.request("bench-50", stream=True), connections=2, each=2, events=stream_events("bench-50"))
    result = await run_load(Target(f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}/v1"), plan)
    relay.close()
    assert (result.failed, result.events, stats.chunks) == (0, 2 * 2 * (50 + 2), 2 * 2 * 50)
