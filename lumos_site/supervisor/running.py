"""One run of an engine in the foreground: signals, the failed start, the orderly stop; owns the exit code."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lumos_site.supervisor.engine import Engine
from lumos_site.supervisor.errors import StartFailed
from lumos_site.supervisor.keeper import Keeper
from lumos_site.supervisor.orphans import Orphans, end_strays

STARTED_AT = "LUMOS_STARTED_AT"


def typed_at() -> float:
    """When the person pressed return, on the monotonic clock; the launcher writes it down."""
    return float(os.environ.pop(STARTED_AT, "") or time.monotonic())


@contextmanager
def kept(mark: str) -> Iterator[tuple[Keeper, Path]]:
    """The keeper of this run, and a directory in memory for the processes' figures; enter before any event loop."""
    memory = "/dev/shm"  # noqa: S108 - a directory of our own is made there
    figures = Path(tempfile.mkdtemp(prefix="lumos-metrics-", dir=memory if os.access(memory, os.W_OK) else None))
    keeper = Keeper(mark, remove=figures)
    try:
        yield keeper, figures
    finally:
        keeper.dismiss()
        shutil.rmtree(figures, ignore_errors=True)


async def run(engine: Engine, mark: str, on_up: Callable[[], None]) -> int:
    """Start, call `on_up`, wait for a signal, stop. Exit code 0 after a signal, 1 when the start failed."""
    stop = _StopRequest(engine)
    Orphans(engine.waits_for)
    starting = asyncio.create_task(engine.start())
    asked = asyncio.create_task(stop.asked.wait())
    code = 0
    try:
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            on_up()
            await asked
        engine.console.say("stopping")
    except StartFailed as failure:
        engine.console.say(str(failure))
        code = 1
    finally:
        starting.cancel()
        asked.cancel()
        await asyncio.gather(starting, asked, return_exceptions=True)
        await engine.stop()
        end_strays(mark)
        engine.console.say("stopped" if code == 0 else "nothing was left running")
    return code


class _StopRequest:
    """The first signal asks for an orderly stop, the second kills."""

    def __init__(self, engine: Engine) -> None:
        self.asked = asyncio.Event()
        self._engine = engine
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)

    def _on_signal(self) -> None:
        if self.asked.is_set():
            self._engine.console.say("killing everything")
            self._engine.kill_all()
        self.asked.set()
