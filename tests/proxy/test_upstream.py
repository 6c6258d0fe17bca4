"""The provider's side over real sockets: connections are kept, answers are framed, faults become ours."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from core.http import UrlPolicy, parse_private_networks
from proxy.errors import (
    ProviderAnswerTooLarge,
    ProviderLost,
    ProviderMalformed,
    ProviderTimeout,
    ProviderUnavailable,
)
from proxy.upstream import inbox as inbox_module
from proxy.upstream.inbox import Inbox
from proxy.upstream.pool import Origin, Pool
from tests.proxy.fakeserver import Call, FakeServer, closing_the_second, endless, fake_server, good, good_stream

HERE = UrlPolicy(frozenset({"http", "https"}), parse_private_networks(["127.0.0.0/8"]))
BODY = b'{"stream":true}'
STREAM = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
PLAIN = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"


@asynccontextmanager
async def pool_to(server: FakeServer, **options: Any) -> AsyncIterator[Pool]:
    options = {"policy": HERE, **options}
    pool = Pool(Origin("127.0.0.1", server.port, False, ""), **options)
    try:
        yield pool
    finally:
        await pool.close()


async def drain(inbox: Inbox) -> bytes:
    parts = []
    while data := await inbox.read():
        parts.append(data)
    return b"".join(parts)


async def test_one_connection_serves_many_requests_in_turn() -> None:
    async with fake_server(good) as server, pool_to(server) as pool:
        for _ in range(20):
            inbox = await pool.call(PLAIN)
            assert b"hello" in await inbox.whole()
            assert inbox.status == 200
        for _ in range(5):
            stream = await pool.call(STREAM)
            assert b"[DONE]" in await drain(stream)
        assert (server.connections, pool.opened_total) == (1, 1)


async def test_requests_at_the_same_time_need_a_connection_each_and_keep_them() -> None:
    async def slowly(call: Call) -> None:
        await asyncio.sleep(0.05)
        await good(call)

    async with fake_server(slowly) as server, pool_to(server) as pool:
        for _ in range(3):
            inboxes = [await pool.call(PLAIN) for _ in range(10)]
            assert all([b"hello" in await inbox.whole() for inbox in inboxes])
        assert server.connections == 10


async def test_parts_of_one_read_arrive_as_one_piece() -> None:
    async def three_at_once(call: Call) -> None:
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        await call.raw(head + b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")

    async with fake_server(three_at_once) as server, pool_to(server) as pool:
        inbox = await pool.call(PLAIN)
        await inbox.opened()
        assert await inbox.read() == b"onetwothree"
        assert await inbox.read() == b""


async def test_a_kept_connection_that_died_meanwhile_costs_no_request() -> None:
    async with fake_server(good) as server, pool_to(server) as pool:
        await (await pool.call(PLAIN)).whole()
        for call in server.calls:
            call.writer.transport.abort()
        inbox = await pool.call(PLAIN)
        assert b"hello" in await inbox.whole()
        assert server.connections == 2


async def test_a_stale_connection_is_replaced_even_when_the_loss_shows_after_the_request_was_sent() -> None:
    async with fake_server(closing_the_second()) as server, pool_to(server) as pool:
        await (await pool.call(PLAIN)).whole()
        assert b"hello" in await (await pool.call(PLAIN)).whole()
        assert len(server.calls) == 3


async def test_a_fresh_connection_that_is_lost_is_not_tried_again() -> None:
    async def close(call: Call) -> None:
        call.writer.transport.abort()

    async with fake_server(close) as server, pool_to(server) as pool:
        with pytest.raises(ProviderLost):
            await (await pool.call(PLAIN)).whole()
        assert len(server.calls) == 1


async def test_when_the_second_try_cannot_connect_the_error_arrives() -> None:
    async def once(call: Call) -> None:
        if len(server.calls) == 2:
            listening.close()
            call.writer.transport.abort()
        else:
            await good(call)

    server = FakeServer(once)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with pool_to(server) as pool:
        await (await pool.call(PLAIN)).whole()
        with pytest.raises(ProviderLost):
            await (await pool.call(PLAIN)).whole()
    await server.stop()


async def test_an_abandoned_retry_leaves_its_connection_to_others() -> None:
    async with fake_server(closing_the_second()) as server, pool_to(server) as pool:
        await (await pool.call(PLAIN)).whole()
        inbox = await pool.call(PLAIN)
        while len(server.calls) < 2:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        inbox.abort()
        await asyncio.sleep(0.1)
        assert b"hello" in await (await pool.call(PLAIN)).whole()


@pytest.mark.parametrize(
    ("answer", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", True),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n", True),
    ],
)
async def test_every_framing_of_an_answer_is_read(answer: bytes, keeps: bool) -> None:
    async def act(call: Call) -> None:
        await call.raw(answer)

    async with fake_server(act) as server, pool_to(server) as pool:
        for _ in range(2):
            inbox = await pool.call(PLAIN)
            assert await inbox.whole() == b"ok"
            assert inbox.header(b"link") is None
        assert server.connections == (1 if keeps else 2)


async def test_an_answer_without_length_ends_with_its_connection() -> None:
    async def act(call: Call) -> None:
        await call.raw(b"HTTP/1.1 200 OK\r\n\r\nall there is")
        call.writer.close()

    async with fake_server(act) as server, pool_to(server) as pool:
        assert await (await pool.call(PLAIN)).whole() == b"all there is"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_an_answer_that_stops_early_is_lost_after_what_came(answer: bytes) -> None:
    async def act(call: Call) -> None:
        await call.raw(answer)
        call.writer.close()

    async with fake_server(act) as server, pool_to(server) as pool:
        inbox = await pool.call(PLAIN)
        with pytest.raises(ProviderLost):
            await drain(inbox)
        with pytest.raises(ProviderLost):
            await (await pool.call(PLAIN)).whole()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"v" * 1000) for i in range(80)) + b"\r\n",
    ],
)
async def test_what_is_no_http_answer_is_malformed(answer: bytes) -> None:
    async def act(call: Call) -> None:
        await call.raw(answer)

    async with fake_server(act) as server, pool_to(server) as pool:
        with pytest.raises(ProviderMalformed):
            await (await pool.call(PLAIN)).whole()


async def test_bytes_that_nobody_asked_for_end_the_connection() -> None:
    async def act(call: Call) -> None:
        await call.answer(200, b"ok")
        await asyncio.sleep(0.02)
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged")

    async with fake_server(act) as server, pool_to(server) as pool:
        assert await (await pool.call(PLAIN)).whole() == b"ok"
        await asyncio.sleep(0.06)
        assert await (await pool.call(PLAIN)).whole() == b"ok"
        assert server.connections == 2


async def test_aborting_closes_the_socket_at_once() -> None:
    async with fake_server(endless) as server, pool_to(server) as pool:
        inbox = await pool.call(STREAM)
        await inbox.opened()
        inbox.abort()
        inbox.abort()
        await asyncio.wait_for(server.calls[0].closed.wait(), 1)


async def test_a_released_answer_may_end_in_peace_or_is_given_up() -> None:
    async def late_end(call: Call) -> None:
        await call.begin_stream()
        await call.chunk(b"data: [DONE]\n\n")
        await asyncio.sleep(5 if len(server.calls) > 1 else 0.05)
        await call.end_stream()

    async with fake_server(late_end) as server, pool_to(server) as pool:
        for _ in range(2):
            inbox = await pool.call(STREAM)
            await inbox.opened()
            inbox.release()
            await asyncio.sleep(0.2)
        assert server.connections == 1
        await asyncio.wait_for(server.calls[1].closed.wait(), 2)


async def test_a_reader_that_does_not_read_holds_the_provider_back() -> None:
    sent = 0

    async def flood(call: Call) -> None:
        nonlocal sent
        await call.begin_stream()
        for _ in range(400):
            await call.chunk(b"x" * 65_536)
            sent += 65_536
        await call.end_stream()

    async with fake_server(flood) as server, pool_to(server) as pool:
        inbox = await pool.call(STREAM)
        await asyncio.sleep(0.4)
        assert inbox.size < 4 * inbox_module.HIGH_WATER
        assert sent < 400 * 65_536
        assert len(await drain(inbox)) == 400 * 65_536


async def test_a_whole_answer_is_not_held_back_but_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox_module, "WHOLE_LIMIT", 1_000_000)

    async def act(call: Call) -> None:
        await call.answer(200, b"x" * (900_000 if len(server.calls) == 1 else 3_000_000))

    async with fake_server(act) as server, pool_to(server) as pool:
        assert len(await (await pool.call(PLAIN)).whole()) == 900_000
        with pytest.raises(ProviderAnswerTooLarge):
            await (await pool.call(PLAIN)).whole()


async def test_a_pool_has_a_limit_and_refused_and_silent_hosts_are_told_apart() -> None:
    async def never(call: Call) -> None:
        await asyncio.sleep(30)

    async with fake_server(never) as server, pool_to(server, limit=2) as pool:
        await pool.call(PLAIN)
        await pool.call(PLAIN)
        with pytest.raises(ProviderUnavailable):
            await pool.call(PLAIN)
    closed = Pool(Origin("127.0.0.1", server.port, False, ""), policy=HERE)
    with pytest.raises(ProviderLost):
        await closed.call(PLAIN)
    with socket.create_server(("127.0.0.1", 0)) as mute:  # accepts, and never says a word of TLS
        silent = Pool(Origin("127.0.0.1", mute.getsockname()[1], True, ""), policy=HERE, connect_seconds=0.05)
        with pytest.raises(ProviderTimeout):
            await silent.call(PLAIN)


async def test_idle_connections_age_out() -> None:
    async with fake_server(good) as server, pool_to(server, keep_seconds=1) as pool:
        await (await pool.call(PLAIN)).whole()
        now = asyncio.get_running_loop().time()
        pool.prune(now)
        assert len(pool._idle) == 1
        pool.prune(now + 2)
        assert pool._idle == []
        await (await pool.call(PLAIN)).whole()
        assert server.connections == 2


async def test_tls_checks_the_providers_name() -> None:
    async with fake_server(good) as server:
        pool = Pool(Origin("127.0.0.1", server.port, True, ""), policy=HERE, connect_seconds=1)
        with pytest.raises((ProviderLost, ProviderTimeout)):
            await pool.call(PLAIN)
        assert pool._tls is not None
        assert pool._tls.check_hostname
        assert pool._tls.verify_mode == ssl.CERT_REQUIRED
        await pool.close()


async def test_a_failure_reaches_a_reader_that_waits_and_the_first_one_counts() -> None:
    inbox = Inbox(asyncio.get_running_loop())
    waiting = asyncio.ensure_future(inbox.read())
    await asyncio.sleep(0)
    inbox.fail(ProviderTimeout())
    inbox.fail(ProviderLost())
    with pytest.raises(ProviderTimeout):
        await waiting
    inbox.abort()
    inbox.release()


async def test_what_is_asked_of_an_answer_that_is_over_does_not_reach_the_next_one() -> None:
    """Streams once stopped after a second and hung: the answer before had released the connection they were on."""

    async def slowly(call: Call) -> None:
        await good_stream(call, words=12, pace=0.1)

    async with fake_server(slowly) as server, pool_to(server) as pool:
        first = await pool.call(STREAM)
        while not first.complete:
            await asyncio.sleep(0.01)
        second = await pool.call(STREAM)
        first.release()
        first.abort()
        assert b"[DONE]" in await drain(second)
        assert pool.opened_total == 1


async def test_an_answer_glued_to_the_one_asked_for_is_nobodys() -> None:
    """Were it kept, a provider could answer the next caller's request before it is made."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

    async def twice(call: Call) -> None:
        await call.raw(answer + answer)
        await asyncio.sleep(0.2)

    async with fake_server(twice) as server, pool_to(server) as pool:
        assert await (await pool.call(PLAIN)).whole() == b"{}"
        await asyncio.sleep(0.05)
        assert await (await pool.call(PLAIN)).whole() == b"{}"
        assert pool.opened_total == 2
