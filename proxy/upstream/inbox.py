"""What has arrived of one upstream answer; owns buffer, wake-ups and back-pressure, refuses to know the protocol.

Whoever produces the answer (a socket, the demo provider) puts parts in and calls `notify` once per read, so that all
parts of one read are one piece. Whoever relays it waits for pieces (`read`), or pours them on from where they arrive,
which wakes nobody: a stream spends most of its time in that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from proxy.errors import ProviderAnswerTooLarge

Sink = Callable[[bytes], bool]
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
        "_sink",
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
        self._sink: Sink | None = None
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
        if self._sink is None:
            is_wanted = self.complete or (bool(self.parts) and not self._wants_all)
        else:
            is_wanted = self.complete or not self._goes_on()
        if is_wanted:
            self._wake()
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
        self._wake()

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

    async def pour(self, sink: Sink) -> bool:
        """Hands every piece to `sink` where it arrives, until that says False. Returns whether there may be more to
        pour, False at the end of the answer; raises the failure, the sink's own too."""
        self._sink = sink
        try:
            while self._passes_on():
                if self.complete:
                    return False
                await self._more()
            return True
        finally:
            self._sink = None

    def _goes_on(self) -> bool:
        """Passes on in the middle of a read, where nobody could catch what the sink raises."""
        try:
            return self._passes_on()
        except Exception as error:
            self.fail(error)
            self.abort()
            return True

    def _passes_on(self) -> bool:
        """Gives the sink what is there; whether it takes more."""
        sink = self._sink
        if sink is not None and self.parts and not sink(self._take()):
            sink = self._sink = None
        return sink is not None

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

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

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
        if self._paused:
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
