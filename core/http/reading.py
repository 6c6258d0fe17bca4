"""One HTTP/1.1 answer as its bytes arrive; owns its limits, opens and closes nothing."""

from __future__ import annotations

from typing import Final

import httptools

from core.http.errors import AnswerTooLarge, OutboundFailed

_HEAD_LIMIT: Final = 64 * 1024


class Reading:
    """Feed it what `recv` returns, b"" for the end, until `complete`. Raises OutboundFailed and AnswerTooLarge."""

    def __init__(self, body_limit: int, *, cut: bool) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False
        self._limit = body_limit
        self._cut = cut
        self._head_bytes = 0
        self._framed = False
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        if not self.status:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            raise OutboundFailed("The answer is not HTTP") from error
        if not self.status and self._head_bytes > _HEAD_LIMIT:
            raise AnswerTooLarge("The head of the answer does not end")
        self._hold_limit()

    def _end(self) -> None:
        """RFC 9112 6.3: without length or chunks the body ends with the connection."""
        if not self.status or self._framed:
            raise OutboundFailed("The other side hung up in the middle of its answer")
        self.complete = True

    def _hold_limit(self) -> None:
        if len(self.body) <= self._limit:
            return
        if not self._cut:
            raise AnswerTooLarge()
        del self.body[self._limit :]
        self.complete = True

    # httptools

    def on_message_begin(self) -> None:
        self._framed = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.complete or self.status:
            return
        lower = name.decode("latin-1").lower()
        self._framed = self._framed or lower in {"content-length", "transfer-encoding"}
        self.headers.setdefault(lower, value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self.status = status
        else:
            self.headers.clear()

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        self.complete = bool(self.status)
