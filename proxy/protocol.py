"""The hot routes straight from the server's HTTP parser: uvicorn's protocol, with one way past ASGI.

A POST to a route of `HOT` is answered by the pipeline without scope, messages and their tasks; a chunk of a stream
is one write to the transport. Everything else (other routes, upgrades, a request that waits behind another one on
its connection) goes to the application, as does all of it under another server.

What is used of uvicorn's own class is little, and held by a test that fails when it changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import get_client_addr

from proxy import asgi
from proxy.endpoints import ENDPOINTS, Endpoint
from proxy.envelope import error_event
from proxy.errors import BodyTooLarge, ClientGone
from proxy.exchange import Exchange, Headers
from proxy.gateway import Gateway
from proxy.pipeline import limit

log = structlog.get_logger(__name__)
HOT: Final[dict[bytes, Endpoint]] = {
    path.encode(): endpoints["POST"] for path, endpoints in ENDPOINTS if "POST" in endpoints
}
HEAD_LIMIT = 64 * 1024  # bytes, beside what one read holds
HEAD_SECONDS = 30.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_LINE = b"%b: %b\r\n"
_END = b"0\r\n\r\n"


class BoundedHeads(HttpToolsProtocol):
    """Bounds the head of a request, which anybody may send before they are known: its bytes and its time.

    The parser keeps a head until it is whole and the server's own class sets no limit, so one connection could fill
    the memory, and a thousand silent ones stay for ever. Trailers after a body are dropped: they would count as
    headers, and a credential or an address could be smuggled past a proxy in them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_body = False
        self._heads = 0
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head_is_here()

    def data_received(self, data: bytes) -> None:
        in_body, heads = self._in_body, self._heads
        super().data_received(data)
        if in_body or self._in_body or heads != self._heads:
            return
        self._head_size += len(data)
        if self._head_size > HEAD_LIMIT and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        elif self._deadline is None and not self.transport.is_closing():
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_body = True
        self._heads += 1
        self._head_size = 0
        self._head_is_here()
        self.take_request()

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def take_request(self) -> None:
        """The head is whole: serve it."""
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _head_is_here(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class GatewayProtocol(BoundedHeads):
    """One connection of a client."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._port: HttpPort | None = None

    def take_request(self) -> None:
        endpoint = HOT.get(self.url)
        gateway = asgi.running_gateway()
        if endpoint is None or gateway is None or not self._is_plain():
            super().take_request()
        else:
            self._serve(endpoint, gateway)

    def _is_plain(self) -> bool:
        """Whether nothing asks for what only the server's own way knows."""
        return (
            self.parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and self.limit_concurrency is None
            and not self.root_path
            and not self.parser.should_upgrade()
        )

    def _serve(self, endpoint: Endpoint, gateway: Gateway) -> None:
        cycle = Cycle(keep_alive=self.parser.should_keep_alive())
        self.cycle = cycle  # type: ignore[assignment]  # it stands in for uvicorn's own
        port = self._port = HttpPort(self, cycle)
        peer = self.client[0] if self.client else ""
        address = limit.client_address(peer, self.headers, gateway.settings.trusted_proxies)
        exchange = Exchange(port, endpoint=endpoint.name, ip=address, headers=self.headers)
        task = self.loop.create_task(endpoint.serve(exchange, gateway, self.url.decode()))
        self.tasks.add(task)
        task.add_done_callback(port.served)

    def completed(self, cycle: Cycle) -> None:
        """The answer is written: the connection waits for the next request, starts one that waits, or ends."""
        self._port = None
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._port is not None:
            self._port.left()


class Cycle:
    """What uvicorn's protocol keeps of a request: it fills `body`, clears `more_body`, sets `disconnected` and
    `message_event`, takes `keep_alive` back when the server ends, and asks for `response_complete`."""

    __slots__ = ("body", "disconnected", "keep_alive", "message_event", "more_body", "response_complete")

    def __init__(self, *, keep_alive: bool) -> None:
        self.body = bytearray()
        self.more_body = True
        self.disconnected = False
        self.message_event = asyncio.Event()
        self.keep_alive = keep_alive
        self.response_complete = False


class HttpPort:
    """The client's side of an exchange on a connection of ours. HTTP/1.0 gets no chunks: its answer ends with the
    connection."""

    __slots__ = ("_awaits_continue", "_cycle", "_flow", "_gone", "_is_chunked", "_protocol", "_transport", "_version")

    def __init__(self, protocol: GatewayProtocol, cycle: Cycle) -> None:
        self._protocol = protocol
        self._cycle = cycle
        self._transport: asyncio.Transport = protocol.transport
        self._flow = protocol.flow
        self._version: str = protocol.parser.get_http_version()
        self._awaits_continue: bool = protocol.expect_100_continue
        self._is_chunked = False
        self._gone: Callable[[], None] | None = None
        if self._version == "1.0":
            cycle.keep_alive = False

    async def body(self, limit: int) -> bytes:
        cycle = self._cycle
        if self._awaits_continue and not cycle.disconnected:
            self._awaits_continue = False
            self._transport.write(_CONTINUE)
        while cycle.more_body and not cycle.disconnected and len(cycle.body) <= limit:
            self._flow.resume_reading()
            await cycle.message_event.wait()
            cycle.message_event.clear()
        if len(cycle.body) > limit:
            raise BodyTooLarge(f"The request body may have at most {limit} bytes")
        if cycle.more_body:
            raise ClientGone()
        body, cycle.body = bytes(cycle.body), bytearray()
        return body

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        self._is_chunked = self._version != "1.0" and not any(name == b"content-length" for name, _ in headers)
        head = self._head(status, headers)
        await self._until_writable()
        if self._cycle.disconnected:
            return
        self._note_access(status)
        self._transport.write(head + self._framed(data, last=last))
        if last:
            self._complete()

    def write_now(self, data: bytes) -> bool:
        if self._flow.write_paused:
            return False
        if not self._cycle.disconnected:
            self._transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)
        return True

    async def write(self, data: bytes) -> None:
        await self._until_writable()
        if not self._cycle.disconnected:
            self._transport.write(self._framed(data, last=False))

    async def finish(self, data: bytes) -> None:
        await self._until_writable()
        if not self._cycle.disconnected:
            self._transport.write(self._framed(data, last=True))
            self._complete()

    async def fail(self, status: int, envelope: bytes) -> None:
        await self.finish(error_event(envelope))

    def watch(self, gone: Callable[[], None]) -> None:
        self._gone = gone
        if self._cycle.disconnected:
            gone()

    def left(self) -> None:
        """The connection is gone. uvicorn tells only the newest request of a connection, which may wait behind us."""
        self._cycle.disconnected = True
        self._cycle.message_event.set()
        if self._gone is not None:
            self._gone()

    def served(self, task: asyncio.Task[None]) -> None:
        """The pipeline is through. Without a whole answer the connection is of no more use to anybody."""
        self._protocol.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("proxy.protocol.failed", exc_info=task.exception())
        if not self._cycle.response_complete:
            self._transport.abort()

    async def _until_writable(self) -> None:
        if self._flow.write_paused and not self._cycle.disconnected:
            await self._flow.drain()

    def _head(self, status: int, headers: Headers) -> bytes:
        lines = [STATUS_LINE[status], *map(_LINE.__mod__, (*self._protocol.server_state.default_headers, *headers))]
        if not self._cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        if self._is_chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines):
            raise ValueError("a header with a line break in it")
        return head + b"\r\n"

    def _framed(self, data: bytes, *, last: bool) -> bytes:
        if not self._is_chunked:
            return data
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        return chunk + _END if last else chunk

    def _complete(self) -> None:
        self._cycle.response_complete = True
        self._protocol.completed(self._cycle)

    def _note_access(self, status: int) -> None:
        protocol = self._protocol
        if protocol.access_log:
            client, path = get_client_addr(protocol.scope), protocol.url.decode()
            protocol.access_logger.info('%s - "%s %s HTTP/%s" %d', client, "POST", path, self._version, status)
