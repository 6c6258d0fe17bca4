"""HTTP as clients of every kind speak it: the same on both ways from the server to the pipeline."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.ids import new_ulid
from proxy import asgi
from proxy.endpoints import Endpoint
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.protocol import HOT
from tests.proxy.rawclient import Connection, connected, request
from tests.proxy.serving import Served, running_server, serving
from tests.proxy.test_fences import neighbour_of
from tests.proxy.world import World

pytestmark = pytest.mark.usefixtures("redis", "either_port")
CHAT: dict[str, Any] = {"model": "demo-fast", "messages": [{"role": "user", "content": "hello"}]}
STREAM = {**CHAT, "stream": True}
SLOW = {**STREAM, "model": "demo-chat"}


@asynccontextmanager
async def caller(**settings: int) -> AsyncIterator[tuple[Served, Connection]]:
    async with serving(**settings) as served, connected(served.port) as connection:
        yield served, connection


def text_of(events: bytes) -> str:
    """The words of a whole stream, which must have its end mark."""
    *chunks, end = [line.removeprefix("data: ") for line in events.decode().split("\n\n") if line]
    assert end == "[DONE]"
    return "".join(json.loads(chunk)["choices"][0]["delta"].get("content", "") for chunk in chunks)


async def test_requests_follow_one_another_on_one_connection(world: World) -> None:
    async with caller() as (_, connection):
        for content in (CHAT, STREAM, CHAT):
            connection.say(request(world.token, content))
            answer = await connection.hear()
            assert answer.status == 200
            assert "connection" not in answer.headers
            assert answer.headers["date"].endswith("GMT")
    assert len(world.wait_for_events(3)) == 3


async def test_pipelined_requests_are_answered_in_order_hot_or_not(world: World) -> None:
    models = request(world.token, b"", method="GET", path="/v1/models", headers={"content-length": ""})
    embedding = request(world.token, {"model": "demo-embed", "input": "acme"}, path="/v1/embeddings")
    async with caller() as (_, connection):
        chat, stream = request(world.token, CHAT), request(world.token, STREAM)
        connection.say(stream, models, chat, embedding, models, stream)
        answers = [await connection.hear() for _ in range(6)]
        connection.say(chat)
        assert (await connection.hear()).status == 200
    assert [answer.status for answer in answers] == [200] * 6
    assert "simulated" in text_of(answers[0].body)
    kinds = [json.loads(answer.body)["object"] for answer in answers[1:5]]
    assert kinds == ["list", "chat.completion", "list", "list"]
    assert text_of(answers[5].body) == text_of(answers[0].body)
    assert len(world.wait_for_events(5)) == 5


async def test_a_head_in_single_bytes_is_a_head(world: World) -> None:
    raw = request(world.token, CHAT)
    async with caller() as (_, connection):
        for position in range(len(raw)):
            connection.say(raw[position : position + 1])
            await asyncio.sleep(0)
        assert (await connection.hear()).status == 200


async def test_a_body_in_chunks_and_a_large_one_arrive_whole(world: World) -> None:
    large = json.dumps({**CHAT, "user": "x" * 700_000}).encode()
    pieces = [large[start : start + 9_000] for start in range(0, len(large), 9_000)]
    chunked = request(world.token, b"", headers={"content-length": "", "transfer-encoding": "chunked"})
    async with caller() as (_, connection):
        connection.say(request(world.token, large))
        assert (await connection.hear()).status == 200
        connection.say(chunked, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n")
        assert (await connection.hear()).status == 200


async def test_the_body_is_asked_for_by_100_continue_only_when_it_will_be_read(world: World) -> None:
    body = json.dumps(CHAT).encode()
    waits = {"expect": "100-continue", "content-length": str(len(body))}
    async with caller() as (_, connection):
        connection.say(request(world.token, b"", headers=waits))
        assert (await connection.interim()).startswith(b"HTTP/1.1 100 ")
        connection.say(body)
        assert (await connection.hear()).status == 200
        connection.say(request("lum_live_wrong", b"", headers=waits))
        answer = await connection.hear()
        assert (answer.status, answer.code) == (401, "invalid_api_key")


async def test_a_refused_body_is_thrown_away_and_the_connection_serves_on(world: World) -> None:
    async with caller(body_limit=100_000) as (_, connection):
        connection.say(request("lum_live_wrong", b"x" * 300_000))
        assert (await connection.hear()).status == 401
        connection.say(request(world.token, b"x" * 300_000))
        assert (await connection.hear()).status == 413
        connection.say(request(world.token, CHAT))
        assert (await connection.hear()).status == 200


@pytest.mark.parametrize("content", [CHAT, STREAM])
async def test_a_client_that_wants_the_connection_closed_gets_that(world: World, content: dict[str, Any]) -> None:
    async with caller() as (_, connection):
        connection.say(request(world.token, content, headers={"connection": "close"}))
        answer = await connection.hear()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert b"simulated" in answer.body
        assert await connection.is_closed()


@pytest.mark.parametrize("content", [CHAT, STREAM])
async def test_http_1_0_gets_a_whole_answer_and_its_end(
    world: World, content: dict[str, Any], either_port: str
) -> None:
    async with caller() as (_, connection):
        connection.say(request(world.token, content, version="1.0"))
        answer = await connection.hear()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert b"simulated" in answer.body
        assert await connection.is_closed()
    if either_port == "protocol":
        assert "transfer-encoding" not in answer.headers, "HTTP/1.0 knows no chunks"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "PUT"])
async def test_other_methods_are_told_which_one_serves(world: World, method: str) -> None:
    raw = request(world.token, b"", method=method, headers={"content-length": "", "connection": "close"})
    async with caller() as (_, connection):
        connection.say(raw)
        head = await connection.interim()
        rest = b"" if method == "HEAD" else b'"method_not_allowed"'
        assert head.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nallow: POST\r\n" in head
        assert rest in await connection.rest()
    assert world.events() == []


async def test_a_query_or_an_escape_in_the_address_changes_nothing(world: World) -> None:
    async with caller() as (_, connection):
        for path in ("/v1/chat/completions?trace=1", "/v1/chat%2Fcompletions"):
            connection.say(request(world.token, CHAT, path=path))
            assert (await connection.hear()).status == 200


async def test_what_is_not_http_is_a_400_and_the_end(world: World) -> None:
    async with caller() as (_, connection):
        connection.say(b"POST /v1/chat/completions nonsense\r\n\r\n")
        assert (await connection.hear()).status == 400
        assert await connection.is_closed()


@pytest.mark.parametrize("either_port", ["protocol"], indirect=True)  # uvicorn's own way tells the newest only
async def test_a_client_that_leaves_while_a_request_waits_behind_is_noticed(world: World) -> None:
    world.publish_catalogue(pace_ms=20)
    async with caller() as (served, connection):
        connection.say(request(world.token, SLOW), request(world.token, SLOW))
        await connection.interim()
        connection.writer.transport.abort()
        async with asyncio.timeout(2):
            while served.gateway.watch.open:
                await asyncio.sleep(0.02)
    assert {event["status"] for event in world.wait_for_events(1)} == {"client_closed"}


async def test_the_access_log_has_a_line_for_each_answer(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "uvicorn.access")
    async with running_server(asgi.application, access_log=True) as served, connected(served.port) as connection:
        connection.say(request(world.token, CHAT))
        await connection.hear()
        connection.say(request(world.token, STREAM, headers={"connection": "close"}, path="/v1/embeddings"))
        await connection.hear()
    lines = [record.getMessage().partition(" - ")[2] for record in caplog.records if record.name == "uvicorn.access"]
    assert lines == ['"POST /v1/chat/completions HTTP/1.1" 200', '"POST /v1/embeddings HTTP/1.1" 400']


async def test_a_server_that_ends_lets_streams_end_and_then_closes_their_connections(world: World) -> None:
    world.publish_catalogue(pace_ms=20)
    async with (
        running_server(asgi.application) as served,
        connected(served.port) as idle,
        connected(served.port) as busy,
    ):
        busy.say(request(world.token, SLOW))
        idle.say(request(world.token, CHAT))
        await idle.hear()
        served.server.should_exit = True
        assert await idle.is_closed()
        assert "simulated" in text_of((await busy.hear()).body)
        assert await busy.is_closed()


async def test_two_tenants_over_one_connection_are_told_apart(world: World) -> None:
    """A proxy in front of us sends everybody's requests over the connections it keeps."""
    other = neighbour_of(world)
    async with caller() as (_, connection):
        for _ in range(3):
            connection.say(request(world.token, STREAM), request(other.token, CHAT))
            assert {(await connection.hear()).status, (await connection.hear()).status} == {200}
        connection.say(request("lum_live_" + new_ulid(), CHAT))
        assert (await connection.hear()).status == 401, "nothing is remembered of who came before"
    owners = [event["tenant_id"] for event in world.wait_for_events(6)]
    assert owners == [world.tenant_id, other.tenant_id] * 3


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    raise NotImplementedError


async def test_a_hot_route_takes_the_way_it_should(world: World, either_port: str) -> None:
    async with serving(_no_application) as served, connected(served.port) as connection:
        connection.say(request(world.token, CHAT))
        assert (await connection.hear()).status == (200 if either_port == "protocol" else 500)


async def _break_before(exchange: Exchange, gateway: Gateway, path: str) -> None:
    raise RuntimeError("before anything was said")


async def _break_after(exchange: Exchange, gateway: Gateway, path: str) -> None:
    await exchange.begin(200, [(b"content-type", b"text/plain")], b"a part", last=False)
    raise RuntimeError("in the middle")


async def _split_the_answer(exchange: Exchange, gateway: Gateway, path: str) -> None:
    await exchange.begin(200, [(b"x-name", b"one\r\nset-cookie: two")], b"", last=True)


@pytest.mark.parametrize("serve", [_break_before, _break_after, _split_the_answer])
async def test_a_fault_of_ours_ends_the_connection_and_never_looks_finished(
    world: World, monkeypatch: pytest.MonkeyPatch, serve: Any
) -> None:
    monkeypatch.setitem(HOT, b"/v1/broken", Endpoint("broken", serve))

    async def application(scope: Any, receive: Any, send: Any) -> None:
        port = asgi.AsgiPort(receive, send)
        gateway = asgi.running_gateway()
        assert gateway is not None
        await serve(Exchange(port, endpoint="broken", ip="", headers=[]), gateway, "")

    async with serving(application) as served, connected(served.port) as connection:
        connection.say(request(world.token, CHAT, path="/v1/broken"))
        heard = await connection.rest()
    assert b"0\r\n\r\n" not in heard
    assert b"set-cookie" not in heard
