"""One HTTP/1.1 connection to a provider; owns parsing and the decision to keep it, refuses to know what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from proxy.errors import ProviderLost, ProviderMalformed
from proxy.upstream.inbox import Inbox

_HEADERS_LIMIT = 64 * 1024
_LINGER_SECONDS = 1.0


class Connection(asyncio.Protocol):
    """Sends one request at a time and fills the inbox of its answer.

    Whether it may be used again is asked inside `on_message_complete`: after `feed_data` the parser already stands
    at the next message and always says no, and every request would open a new connection.
    """

    def __init__(self, on_idle: Callable[[Connection], None], on_lost: Callable[[Connection], None]) -> None:
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._framed = False
        self._header_bytes = 0
        self._keep = False
        self.inbox: Inbox | None = None
        self.request = b""
        self.reused = False
        self.idle_since = 0.0

    # What the pool asks for.

    @property
    def usable(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, inbox: Inbox) -> None:
        """Writes the request (head and body in one piece); its answer goes to `inbox`."""
        assert self._transport is not None
        self.request = request
        self.inbox = inbox
        inbox.source = self
        self._transport.write(request)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # Source of the inbox.

    def pause(self) -> None:
        if self.usable:
            cast(asyncio.Transport, self._transport).pause_reading()

    def resume(self) -> None:
        if self.usable:
            cast(asyncio.Transport, self._transport).resume_reading()

    def abort(self) -> None:
        if self.inbox is not None:
            self.inbox = None
            self.close()

    def release(self) -> None:
        """Waits a moment for the end of the answer, so that the connection can serve again."""
        inbox = self.inbox
        if inbox is not None:
            self._loop.call_later(_LINGER_SECONDS, self._give_up, inbox)

    def _give_up(self, inbox: Inbox) -> None:
        if self.inbox is inbox:
            self.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        inbox = self.inbox
        if inbox is None:
            self.close()  # bytes that nobody asked for: the framing cannot be trusted any more
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._break(ProviderMalformed())
            return
        if not inbox.complete:
            inbox.notify()
        elif self._keep:
            self._keep = False
            self._on_idle(self)  # only now: what else this read held must not count as the next answer

    def connection_lost(self, exc: Exception | None) -> None:
        inbox, self.inbox = self.inbox, None
        if inbox is not None and inbox.status and not self._framed and exc is None:
            inbox.finish()  # RFC 9112 6.3: without length or chunks the body ends with the connection
        elif inbox is not None and not (self.reused and not inbox.status):
            inbox.fail(ProviderLost())
        elif inbox is not None:
            self.inbox = inbox  # a kept connection that was already closed at the other end: the pool asks again
        self._on_lost(self)

    def _break(self, error: Exception) -> None:
        self._keep = False
        inbox, self.inbox = self.inbox, None
        if inbox is not None:
            inbox.fail(error)
        self.close()

    # httptools

    def on_message_begin(self) -> None:
        if self.inbox is None:
            raise ValueError("an answer that nobody asked for")
        self._framed = False
        self._header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > _HEADERS_LIMIT or self.inbox is None:
            raise ValueError("unexpected or endless headers")
        name = name.lower()
        if name in {b"content-length", b"transfer-encoding"}:
            self._framed = True
        self.inbox.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        assert self.inbox is not None
        if status >= 200:
            self.inbox.status = status
            self.request = b""
        else:
            self.inbox.headers.clear()

    def on_body(self, body: bytes) -> None:
        inbox = self.inbox
        if inbox is not None:
            inbox.parts.append(body)
            inbox.size += len(body)

    def on_message_complete(self) -> None:
        inbox = self.inbox
        if inbox is None or not inbox.status:
            return
        self.inbox = None
        self._keep = self._parser.should_keep_alive() and self.usable
        inbox.finish()
        if self._keep:
            self.reused = True
        else:
            self.close()
