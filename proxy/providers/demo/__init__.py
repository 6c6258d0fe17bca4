"""A simulated provider inside the process, for first runs and tests; it never reaches a network and says so.

Its answers come through the same inbox as those of a socket, so time-outs, back-pressure and cancellation are the
real ones. Options: `pace_ms` between chunks of a stream.
"""

from __future__ import annotations

import asyncio

from proxy.providers.base import Order, ProviderConfig
from proxy.providers.demo.script import Step, steps_for
from proxy.upstream.inbox import Inbox

DEFAULT_PACE_MS = 20


class DemoProvider:
    """Plays a script of timed steps into an inbox."""

    simulated = True
    reports_stream_usage = True

    def __init__(self, config: ProviderConfig) -> None:
        self.name = config.name
        self._pace = config.options.get("pace_ms", DEFAULT_PACE_MS) / 1000

    async def call(self, order: Order) -> Inbox:
        loop = asyncio.get_running_loop()
        inbox = Inbox(loop)
        inbox.source = Player(loop, inbox, steps_for(order, self._pace))
        return inbox

    def prune(self, now: float) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is open."""


class Player:
    """Plays one script; the source of its inbox."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inbox: Inbox, steps: list[Step]) -> None:
        self._loop = loop
        self._inbox = inbox
        self._steps = iter(steps)
        self._paused = False
        self._due: Step | None = None
        self._timer: asyncio.Handle | None = None
        self._plan()

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        self._paused = False
        if self._due is not None and self._timer is None:
            self._timer = self._loop.call_soon(self._play)

    def abort(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._due = None

    def release(self) -> None:
        self.abort()

    def _plan(self) -> None:
        self._due = next(self._steps, None)
        if self._due is None:
            return
        delay = self._due.delay
        self._timer = self._loop.call_later(delay, self._play) if delay else self._loop.call_soon(self._play)

    def _play(self) -> None:
        self._timer = None
        if self._paused or self._due is None:
            return
        self._due.play(self._inbox)
        self._plan()


def build(config: ProviderConfig) -> DemoProvider:
    return DemoProvider(config)
