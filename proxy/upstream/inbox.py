"""What has arrived of one upstream answer; owns buffer, wake-ups and back-pressure, refuses to know the protocol.

Whoever produces the answer (a socket, the demo provider) puts parts in and calls `notify` once per read, so that all
parts of one read cost one wake-up. Whoever relays it takes everything that is there as one piece.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from proxy.errors import ProviderAnswerTooLarge

HIGH_WATER = 256 * 1024
WHOLE_LIMIT = 64 * 1024 * 1024


class Source(Protocol):
    """The producing end of an inbox."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def abort(self) -> None:
        """Stops producing now; nothing of this answer is wanted any more."""

    def release(self) -> None:
        """Nothing more is read, but what is still on its way may come to its end."""


class Inbox:
    """One answer on its way in: status line, headers, and the parts of the body that nobody took yet."""

    __slots__ = (
        "_error",
        "_loop",
        "_paused",
        "_waiter",
        "_wants_all",
        "complete",
        "headers",
        "parts",
        "size",
        "source",
        "status",
        "touched_at",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self.complete = False
        self.source: Source | None = None
        self.touched_at = loop.time()
        self._loop = loop
        self._error: Exception | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._wants_all = False

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of that lower-case name."""
        for candidate, value in self.headers:
            if candidate == name:
                return value
        return None

    def put(self, part: bytes) -> None:
        self.parts.append(part)
        self.size += len(part)

    def notify(self) -> None:
        """Tells the reader what the last read brought; once per read."""
        self.touched_at = self._loop.time()
        waiter = self._waiter
        if waiter is not None and (self.complete or (self.parts and not self._wants_all)):
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
        if self.size > HIGH_WATER and not self.complete:
            self._hold_back()

    def finish(self) -> None:
        """The answer is whole. From now on its source may serve another one, so nothing asked here reaches it."""
        self._let_flow()
        self.source = None
        self.complete = True
        self.notify()

    def fail(self, error: Exception) -> None:
        """Ends the answer; the reader gets what arrived before, then the error. The first error counts."""
        if self._error is not None:
            return
        self._error = error
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def opened(self) -> None:
        """Returns when the first part of the body, or the end, is there; raises the failure."""
        while not self.parts and not self.complete:
            await self._more()

    async def read(self) -> bytes:
        """Everything that arrived since the last read; b"" at the end; raises the failure."""
        while not self.parts:
            if self.complete:
                return b""
            await self._more()
        return self._take()

    async def whole(self) -> bytes:
        """The rest of the body in one piece; raises the failure."""
        self._wants_all = True
        self._let_flow()
        while not self.complete:
            await self._more()
        return self._take()

    def abort(self) -> None:
        if self.source is not None:
            self.source.abort()

    def release(self) -> None:
        if self.source is not None:
            self.source.release()

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _take(self) -> bytes:
        parts = self.parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self.parts = []
        self.size = 0
        self._let_flow()
        return data

    def _hold_back(self) -> None:
        if self._wants_all:
            if self.size > WHOLE_LIMIT:
                self.fail(ProviderAnswerTooLarge())
                self.abort()
        elif not self._paused and self.source is not None:
            self._paused = True
            self.source.pause()

    def _let_flow(self) -> None:
        if self._paused and self.source is not None:
            self._paused = False
            self.source.resume()
