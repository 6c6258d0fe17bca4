"""Requests over real sockets on both sides: what a client sees and what is booked when things go wrong."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest

from proxy import asgi
from proxy.exchange import Exchange
from tests.proxy.fakeserver import (
    Act,
    Call,
    FakeServer,
    chunk_of,
    endless,
    fake_server,
    good,
    good_stream,
    usage_chunk,
)
from tests.proxy.rawclient import connected, request
from tests.proxy.serving import Served, serving
from tests.proxy.world import World, make_world, model

MESSAGES: list[Any] = [{"role": "user", "content": "hello"}]


class Stage:
    """A scripted provider, the gateway in front of it, and what is published."""

    def __init__(self, upstream: FakeServer, served: Served, world: World) -> None:
        self.upstream = upstream
        self.served = served
        self.world = world
        self.headers = {"authorization": f"Bearer {world.token}"}

    @property
    def url(self) -> str:
        return f"{self.served.url}/v1/chat/completions"

    def client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.served.url}/v1", api_key=self.world.token, max_retries=0)

    async def text(self, *, stream: bool = True, **changes: Any) -> httpx.Response:
        body = {"model": "m1", "messages": MESSAGES, "stream": stream, **changes}
        async with httpx.AsyncClient(timeout=20) as client:
            return await client.post(self.url, json=body, headers=self.headers)

    async def event(self) -> dict[str, Any]:
        [event] = await asyncio.to_thread(self.world.wait_for_events, 1)
        return event


@asynccontextmanager
async def stage(act: Act, **settings: int) -> AsyncIterator[Stage]:
    async with fake_server(act) as upstream:
        world = make_world(upstream.base_url, model("m1", "real"), model("embed-1", "real"))
        async with serving(**settings) as served:
            yield Stage(upstream, served, world)


pytestmark = pytest.mark.usefixtures("redis", "either_port")


async def test_each_chunk_is_passed_on_before_the_next_one_exists() -> None:
    gate = asyncio.Semaphore(0)

    async def stepwise(call: Call) -> None:
        await call.begin_stream()
        for number in range(4):
            await call.event(chunk_of(f"w{number}"))
            await gate.acquire()
        await call.event(chunk_of("", finish="stop"))
        await call.chunk(b"data: [DONE]\n\n")
        await call.end_stream()

    async with stage(stepwise) as on, on.client() as client:
        stream = await client.chat.completions.create(model="m1", messages=MESSAGES, stream=True)
        seen = []
        async for chunk in stream:
            seen.append(chunk.choices[0].delta.content)
            gate.release()
        assert seen[:4] == ["w0", "w1", "w2", "w3"]


async def test_a_client_that_leaves_closes_the_upstream_call_within_a_second() -> None:
    async with stage(endless) as on:
        async with httpx.AsyncClient() as client:
            body = {"model": "m1", "messages": MESSAGES, "stream": True}
            async with client.stream("POST", on.url, json=body, headers=on.headers) as answer:
                async for _ in answer.aiter_lines():
                    break
        left = time.monotonic()
        await asyncio.wait_for(on.upstream.calls[0].closed.wait(), 2)
        assert time.monotonic() - left < 1
        event = await on.event()
    assert (event["status"], event["estimated"]) == ("client_closed", True)
    assert event["input_tokens"] > 0
    assert event["output_tokens"] >= 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_before_the_first_byte_closes_it_too(stream: bool) -> None:
    async def silent(call: Call) -> None:
        await asyncio.sleep(30)

    async with stage(silent) as on:
        asking = asyncio.ensure_future(on.text(stream=stream))
        while not on.upstream.calls:
            await asyncio.sleep(0.01)
        asking.cancel()
        left = time.monotonic()
        await asyncio.wait_for(on.upstream.calls[0].closed.wait(), 2)
        assert time.monotonic() - left < 1
        event = await on.event()
    assert event["status"] == "client_closed"
    assert event["output_tokens"] == 0


async def test_a_finished_stream_is_never_booked_as_left() -> None:
    async def slow_enough_to_be_watched(call: Call) -> None:
        await good_stream(call, words=6, pace=0.1)

    async with stage(slow_enough_to_be_watched) as on:
        assert (await on.text()).text.endswith("data: [DONE]\n\n")
        event = await on.event()
    assert (event["status"], event["output_tokens"], event["estimated"]) == ("ok", 6, False)


async def begin(call: Call, words: int = 3) -> None:
    await call.begin_stream()
    for number in range(words):
        await call.event(chunk_of(f"w{number} "))
    await asyncio.sleep(0.1)  # what follows comes in a read of its own, when the client has its status


async def cut(call: Call) -> None:
    await begin(call)
    call.writer.transport.abort()


async def end_without_reason(call: Call) -> None:
    await begin(call)
    await call.end_stream()


async def fall_silent(call: Call) -> None:
    await begin(call)
    await asyncio.sleep(30)


async def send_torn_json(call: Call) -> None:
    await begin(call)
    await call.chunk(b'data: {"choices":[{"del\n\n')
    await asyncio.sleep(30)


async def send_endless_line(call: Call) -> None:
    await begin(call)
    for _ in range(40):
        await call.chunk(b"x" * 65_536)
    await asyncio.sleep(30)


async def end_inside_event(call: Call) -> None:
    await begin(call)
    await call.chunk(b'data: {"choices":[]')
    await call.end_stream()


async def send_error_event(call: Call) -> None:
    await begin(call)
    await call.event({"error": {"message": "secret internals", "code": "overloaded"}})
    await asyncio.sleep(30)


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (cut, "provider_connection_lost"),
        (end_without_reason, "provider_malformed"),
        (fall_silent, "provider_timeout"),
        (send_torn_json, "provider_malformed"),
        (send_endless_line, "provider_malformed"),
        (end_inside_event, "provider_malformed"),
        (send_error_event, "provider_stream_error"),
    ],
)
async def test_a_stream_that_breaks_never_looks_finished(act: Act, code: str) -> None:
    async with stage(act, idle_ms=300) as on:
        answer = await on.text()
        assert answer.status_code == 200
        events = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
        assert [json.loads(text)["choices"][0]["delta"]["content"] for text in events[:3]] == ["w0 ", "w1 ", "w2 "]
        assert json.loads(events[-2])["error"]["code"] == code
        assert events[-1] == "[DONE]"
        assert 'finish_reason":"' not in answer.text
        assert "secret" not in answer.text
        event = await on.event()
        if act is not cut and act is not end_without_reason and act is not end_inside_event:
            await asyncio.wait_for(on.upstream.calls[0].closed.wait(), 1)
    assert (event["status"], event["estimated"]) == ("stream_error", True)
    assert event["output_tokens"] >= 2


async def test_a_provider_that_never_starts_is_a_504() -> None:
    async def silent(call: Call) -> None:
        await asyncio.sleep(30)

    async with stage(silent, first_byte_ms=300) as on:
        for stream in (True, False):
            answer = await on.text(stream=stream)
            assert (answer.status_code, answer.json()["error"]["code"]) == (504, "provider_timeout")
        events = await asyncio.to_thread(on.world.wait_for_events, 2)
    assert [event["status"] for event in events] == ["upstream_error"] * 2
    assert sum(event["input_tokens"] for event in events) == 0


async def test_the_whole_time_of_a_request_is_bounded() -> None:
    async def forever(call: Call) -> None:
        await good_stream(call, words=1_000, pace=0.05)

    async with stage(forever, total_ms=600) as on:
        answer = await on.text()
    assert '"code":"provider_timeout"' in answer.text


async def test_a_finish_reason_without_the_end_mark_is_an_end() -> None:
    async def no_mark(call: Call) -> None:
        await begin(call)
        await call.event(chunk_of("", finish="stop"))
        await call.end_stream()

    async def no_mark_and_cut(call: Call) -> None:
        await begin(call)
        await call.event(chunk_of("", finish="stop"))
        await asyncio.sleep(0.05)
        call.writer.transport.abort()

    for act in (no_mark, no_mark_and_cut):
        async with stage(act) as on:
            answer = await on.text()
            event = await on.event()
        assert answer.text.endswith("data: [DONE]\n\n")
        assert "error" not in answer.text
        assert (event["status"], event["estimated"]) == ("ok", True)
        from core.redis import key

        on.world.redis.delete(key("usage"))


async def test_a_stream_in_one_block_is_one_answer() -> None:
    async def at_once(call: Call) -> None:
        events = [chunk_of("a"), chunk_of("b", finish="stop"), usage_chunk(3, 2)]
        text = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
        await call.answer(200, text, content_type="text/event-stream")

    async with stage(at_once) as on:
        answer = await on.text()
        event = await on.event()
    assert answer.text.count("data: ") == 3
    assert (event["status"], event["input_tokens"], event["output_tokens"]) == ("ok", 3, 2)


async def test_two_hundred_streams_at_once_all_end_and_all_are_booked() -> None:
    everybody = asyncio.Event()

    async def paced(call: Call) -> None:
        if len(on.upstream.calls) == 200:
            everybody.set()
        await everybody.wait()
        await good_stream(call, words=20, pace=0.02)

    async def ask(raw: bytes) -> bytes:
        async with connected(on.served.port) as connection:
            connection.say(raw)
            return (await connection.hear(60)).body  # a busy machine may take its time

    async with stage(paced) as on:
        raw = request(on.world.token, {"model": "m1", "messages": MESSAGES, "stream": True})
        answers = await asyncio.gather(*(ask(raw) for _ in range(200)))
        assert {answer.count(b"data: ") for answer in answers} == {22}
        events = await asyncio.to_thread(on.world.wait_for_events, 200)
        assert on.upstream.connections == 200
        assert len(on.served.gateway.watch.open) == 0
    assert len({event["id"] for event in events}) == 200
    assert {event["status"] for event in events} == {"ok"}


async def test_connections_to_the_provider_are_kept_through_the_whole_way() -> None:
    async with stage(good) as on:
        for number in range(10):
            assert (await on.text(stream=bool(number % 2))).status_code == 200
            await asyncio.sleep(0.02)
        assert on.upstream.connections == 1


async def test_a_client_that_reads_slowly_holds_back_the_provider_and_gets_everything() -> None:
    sent = 0

    async def flood(call: Call) -> None:
        nonlocal sent
        await call.begin_stream()
        for _ in range(3000):
            await call.event(chunk_of("x" * 10_000))
            sent += 1
        await call.event(chunk_of("", finish="stop"))
        await call.chunk(b"data: [DONE]\n\n")
        await call.end_stream()

    async with stage(flood) as on, httpx.AsyncClient(timeout=30) as client:
        body = {"model": "m1", "messages": MESSAGES, "stream": True}
        async with client.stream("POST", on.url, json=body, headers=on.headers) as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            await asyncio.sleep(0.5)
            assert sent < 3000
            count = 1 + sum([line.startswith("data: ") async for line in lines])
        assert count == 3002
        assert (await on.event())["status"] == "ok"


async def test_a_client_that_never_reads_is_let_go() -> None:
    async def flood(call: Call) -> None:
        await call.begin_stream()
        while True:
            await call.event(chunk_of("x" * 50_000))

    async with stage(flood, idle_ms=400) as on:
        _, writer = await asyncio.open_connection("127.0.0.1", on.served.port, limit=1000)
        body = json.dumps({"model": "m1", "messages": MESSAGES, "stream": True}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {on.world.token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        while not on.upstream.calls:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(on.upstream.calls[0].closed.wait(), 5)
        event = await on.event()
        writer.close()
    assert event["status"] == "client_closed"


async def test_a_revoked_key_loses_its_stream_within_five_seconds_and_new_requests_within_one() -> None:
    async with stage(endless) as on:
        streaming = asyncio.ensure_future(on.text())
        while not on.upstream.calls:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        on.world.revoke()
        revoked = time.monotonic()
        while (await on.text(stream=False, model="demo-fast")).status_code != 401:
            assert time.monotonic() - revoked < 1
        answer = await asyncio.wait_for(streaming, 5)
        event = next(e for e in await asyncio.to_thread(on.world.wait_for_events, 1) if e["model"] == "m1")
    assert '"code":"access_withdrawn"' in answer.text
    assert event["status"] == "stream_error"


async def test_a_suspended_tenant_loses_its_streams() -> None:
    async with stage(endless) as on:
        streaming = asyncio.ensure_future(on.text())
        while not on.upstream.calls:
            await asyncio.sleep(0.01)
        on.world.publish_tenant(status="SUSPENDED")
        answer = await asyncio.wait_for(streaming, 5)
        again = await on.text()
    assert "access_withdrawn" in answer.text
    assert (again.status_code, again.json()["error"]["code"]) == (403, "tenant_suspended")


async def test_draining_lets_streams_end_and_cuts_the_endless_ones() -> None:
    async def act(call: Call) -> None:
        await good_stream(call, words=100_000 if "endless" in str(call.body) else 20, pace=0.02)

    async with stage(act, drain_seconds=1) as on:
        short = asyncio.ensure_future(on.text())
        long = asyncio.ensure_future(on.text(user="endless"))
        while len(on.upstream.calls) < 2:
            await asyncio.sleep(0.01)
        draining = asyncio.ensure_future(on.served.gateway.drain())
        await asyncio.sleep(0.05)
        refused = await on.text()
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_is_overloaded")
        assert (await short).text.endswith("data: [DONE]\n\n")
        assert '"code":"server_not_ready"' in (await long).text
        await draining
        events = await asyncio.to_thread(on.world.wait_for_events, 2)
    assert sorted(event["status"] for event in events) == ["ok", "stream_error"]


@pytest.mark.parametrize(
    ("request_of", "status", "code"),
    [
        ({"path": "/v1/nothing"}, 404, "unknown_url"),
        ({"path": "/v1/models/nope"}, 404, "model_not_found"),
        ({"method": "GET"}, 405, "method_not_allowed"),
        ({"path": "/v1/models", "method": "DELETE"}, 405, "method_not_allowed"),
        ({"content": b"{}", "type": "text/plain"}, 415, "unsupported_media_type"),
        ({"content": b"{" * 50}, 400, "invalid_json"),
        ({"content": b'{"a":' * 90_000}, 400, "invalid_json"),
        ({"content": b"x" * 1_000_001}, 413, "request_too_large"),
        ({"content": b'{"model":"m1"}'}, 400, "invalid_value"),
    ],
)
async def test_the_rim_refuses_in_openais_envelope_and_at_once(
    request_of: dict[str, Any], status: int, code: str
) -> None:
    async with stage(good, body_limit=1_000_000) as on, httpx.AsyncClient() as client:
        path, method = request_of.get("path", "/v1/chat/completions"), request_of.get("method", "")
        method = method or ("GET" if "models" in path or "nothing" in path else "POST")
        headers = {**on.headers, "content-type": request_of.get("type", "application/json")}
        began = time.monotonic()
        answer = await client.request(method, on.served.url + path, content=request_of.get("content"), headers=headers)
        took = time.monotonic() - began
        assert on.world.events() == []
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["x-request-id"].startswith("req_")
    assert took < 0.5


async def test_a_body_without_a_length_is_bounded_too() -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 65_536

    async with stage(good, body_limit=1_000_000) as on, httpx.AsyncClient() as client:
        headers = {**on.headers, "content-type": "application/json"}
        answer = await client.post(on.url, content=endless(), headers=headers)
    assert answer.status_code == 413


async def test_a_body_that_dribbles_in_is_cut_off_and_one_that_stops_too() -> None:
    async with stage(good, body_seconds=1) as on:
        reader, writer = await asyncio.open_connection("127.0.0.1", on.served.port)
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {on.world.token}\r\n"
            "content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.read(2000), 5)
        assert b"408" in answer.split(b"\r\n")[0]
        writer.close()
        _, leaving = await asyncio.open_connection("127.0.0.1", on.served.port)
        leaving.write(head.encode())
        await asyncio.sleep(0.05)
        leaving.close()
        for _ in range(100):
            if not on.served.gateway.watch.open:
                break
            await asyncio.sleep(0.02)
        assert not on.served.gateway.watch.open


async def test_metrics_count_what_happened_without_naming_anybody() -> None:
    from prometheus_client import CollectorRegistry, generate_latest

    async with stage(good) as on:
        await on.text()
        await on.text(model="none")
        await on.event()
        registry = CollectorRegistry()
        registry.register(on.served.gateway.tally)
        text = generate_latest(registry).decode()
    assert 'lumos_gateway_requests_total{endpoint="chat.completions",outcome="ok"} 1.0' in text
    assert 'lumos_gateway_requests_total{endpoint="chat.completions",outcome="refused_404"} 1.0' in text
    assert 'lumos_gateway_latency_seconds_count{endpoint="chat.completions"} 2.0' in text
    assert "lumos_gateway_first_token_seconds_count 1.0" in text
    assert 'lumos_gateway_tokens_total{direction="output"} 5.0' in text
    assert "lumos_gateway_in_flight 0.0" in text
    assert on.world.tenant_id not in text


async def test_the_process_starts_once_and_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world()
    assert asgi.running_gateway() is None
    await asgi.drain()
    one, two = await asyncio.gather(asgi.startup(), asgi.startup())
    assert one is two is asgi.running_gateway()
    assert one.ready
    await asgi.drain()
    await asgi.shutdown()
    await asgi.shutdown()
    assert asgi.running_gateway() is None


def test_an_exchange_knows_no_transport() -> None:
    assert "scope" not in Exchange.__slots__
