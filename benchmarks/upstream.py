"""A fast fake provider that speaks OpenAI's chat completions; owns pace and counters, and does no more than it must.

`POST …/chat/completions` answers as the model's name says (see answers.behaviour_of) or, before that, as the headers
`x-bench-chunks` and `x-bench-pace-ms` say. `GET /stats` tells how many connections and requests there were.
A back-to-back stream is one write per chunk and turn of the loop, so that chunks travel as a fast provider's would
and not as one block.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from dataclasses import asdict, dataclass
from typing import cast

import httptools
import orjson
import uvloop

from benchmarks.answers import CHUNK, STREAM_HEAD, Behaviour, behaviour_of, plain, stream_tail, whole_answer


@dataclass(slots=True)
class Stats:
    """Since the start; `open_connections` and `open_streams` are of this moment."""

    connections: int = 0
    open_connections: int = 0
    requests: int = 0
    open_streams: int = 0
    chunks: int = 0
    aborted_streams: int = 0


class Provider(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats
        self._parser = httptools.HttpRequestParser(self)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.Handle | None = None
        self._paused = False
        self._left = 0
        self._begin("")

    def _begin(self, url: str) -> None:
        self._url = url
        self._body = b""
        self._headers: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by inheritance
        self._stats.connections += 1
        self._stats.open_connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self._stats.open_connections -= 1
        if self._timer:
            self._timer.cancel()
        if self._left:
            self._stats.aborted_streams += 1
            self._stats.open_streams -= 1

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.close()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._left and self._timer is None:
            self._send_next()

    def on_url(self, url: bytes) -> None:
        self._begin(url.decode())

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.startswith((b"x-bench-", b"X-Bench-")):
            self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._url == "/stats":
            self._transport.write(plain(b"200 OK", asdict(self._stats)))
        elif self._url.endswith("/chat/completions"):
            self._answer()
        else:
            self._transport.write(plain(b"404 Not Found", {"error": {"message": "unknown url", "code": "not_found"}}))

    def _answer(self) -> None:
        self._stats.requests += 1
        request = orjson.loads(self._body)
        behaviour = behaviour_of(request["model"])
        if self._headers:
            behaviour = Behaviour(
                int(self._headers.get(b"x-bench-chunks", behaviour.chunks)),
                int(self._headers.get(b"x-bench-pace-ms", behaviour.pace_ms)),
            )
        if not request.get("stream"):
            self._transport.write(whole_answer(behaviour.chunks))
            return
        wants_usage = bool((request.get("stream_options") or {}).get("include_usage"))
        self._stats.open_streams += 1
        self._pace = behaviour.pace_ms / 1000
        self._tail = stream_tail(behaviour.chunks, wants_usage)
        self._left = behaviour.chunks + 1  # the tail is the last write
        self._due = self._loop.time()
        self._transport.write(STREAM_HEAD)
        self._send_next()

    def _send_next(self) -> None:
        self._timer = None
        self._left -= 1
        if self._left == 0:
            self._stats.open_streams -= 1
            self._transport.write(self._tail)
            return
        self._stats.chunks += 1
        self._transport.write(CHUNK)
        if self._pace:
            self._due += self._pace  # against the plan, so that lateness does not add up
            self._timer = self._loop.call_at(self._due, self._send_next)
        elif not self._paused:
            self._timer = self._loop.call_soon(self._send_next)


async def start_provider(host: str, port: int) -> tuple[asyncio.Server, Stats]:
    """A listening provider in this loop; port 0 takes any free one."""
    stats = Stats()
    server = await asyncio.get_running_loop().create_server(lambda: Provider(stats), host, port, backlog=2048)
    return server, stats


async def _serve(host: str, port: int) -> None:
    server, _ = await start_provider(host, port)
    print(server.sockets[0].getsockname()[1], flush=True)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.upstream", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--core", type=int, help="run on this core only")
    options = parser.parse_args()
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    uvloop.run(_serve(options.host, options.port))


if __name__ == "__main__":
    main()
