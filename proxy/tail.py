"""Listens for changes of the published configuration; owns the promise that no change is missed for long.

Every change is an entry of the stream key("gw", "changes") with a number. Whatever could have hidden one (a lost
connection, an unanswered read, a number that Redis knows and we do not) makes the process forget everything it
cached and read it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from core.errors import Unavailable
from core.redis import key
from core.redis.pipe import RedisPipe
from proxy.records import changes_name

log = structlog.get_logger(__name__)
_BLOCK_MS = 400
_BATCH = 1000
_CATCH_UP_SECONDS = 0.5
_LOST_PAUSE, _FAILED_PAUSE = 0.05, 1.0

ChangeHandler = Callable[[str, str], Awaitable[None]]


class Tail:
    """`on_change(kind, id)` is called for each change, `on_reset()` when any could have been missed."""

    def __init__(self, url: str, on_change: ChangeHandler, on_reset: Callable[[], Awaitable[None]]) -> None:
        # The socket is this class's alone: a blocking read would hold up everyone who shares it.
        self._pipe = RedisPipe(url, timeout=0.9)
        self._on_change = on_change
        self._on_reset = on_reset
        self._last = "0-0"
        self._task: asyncio.Task[None] | None = None
        self._suspicion: asyncio.TimerHandle | None = None
        self.sequence = 0
        self.attached = False

    async def start(self) -> None:
        """Attaches once, so that what is cached from now on is kept true; raises Unavailable."""
        await self._pipe.connect()
        await self._attach()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._suspicion is not None:
            self._suspicion.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._pipe.close()

    def heard_of(self, sequence: int) -> None:
        """Redis knows this change number; when ours is still behind in a moment, a change was missed."""
        if sequence > self.sequence and self._suspicion is None:
            loop = asyncio.get_running_loop()
            self._suspicion = loop.call_later(_CATCH_UP_SECONDS, self._judge, sequence)

    def _judge(self, sequence: int) -> None:
        self._suspicion = None
        if sequence > self.sequence:
            self.attached = False  # the next turn of the loop attaches anew

    async def _run(self) -> None:
        """Ends with its task only: whatever goes wrong here, attaching anew (which resets) is the cure."""
        while True:
            try:
                if not self.attached:
                    await self._attach()
                await self._read()
            except Unavailable:
                self._lost()
                await asyncio.sleep(_LOST_PAUSE)
            except Exception:
                log.exception("proxy.tail.failed")
                self._lost()
                await asyncio.sleep(_FAILED_PAUSE)

    def _lost(self) -> None:
        """Nobody is let in while this stands, so what is cached may wait for the reset that comes with attaching."""
        if self.attached:
            log.warning("proxy.tail.lost")
            self.attached = False

    async def _attach(self) -> None:
        newest = await self._pipe.execute("XREVRANGE", changes_name(), "+", "-", "COUNT", 1)
        self._last = newest[0][0].decode() if newest else "0-0"
        self.sequence = int(await self._pipe.execute("GET", key("gw", "sequence")) or 0)
        await self._on_reset()
        self.attached = True

    async def _read(self) -> None:
        reply = await self._pipe.execute(
            "XREAD", "COUNT", _BATCH, "BLOCK", _BLOCK_MS, "STREAMS", changes_name(), self._last
        )
        for entry_id, fields in reply[0][1] if reply else ():
            change = _fields(fields)
            await self._on_change(change["kind"], change["id"])
            self.sequence = int(change["n"])
            self._last = entry_id.decode()


def _fields(flat: list[Any]) -> dict[str, str]:
    return {flat[i].decode(): flat[i + 1].decode() for i in range(0, len(flat), 2)}
