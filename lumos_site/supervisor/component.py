"""What the engine needs to know of a thing it runs; declarations only."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lumos_site.supervisor.process import Child, Launch

if TYPE_CHECKING:
    from lumos_site.supervisor.engine import Engine


async def says_ready(child: Child) -> None:
    """The probe of a child that tells through its pipe when it is ready."""
    await child.is_ready.wait()


@dataclass(frozen=True, slots=True)
class Service:
    """A process that is to run for as long as the supervisor does.

    `probe` returns when the component works and raises NotReady while it does not (it is asked again). `needs` must
    be ready before the process is made.
    """

    name: str
    launch: Callable[[], Launch]
    probe: Callable[[Child], Awaitable[None]]
    needs: tuple[str, ...] = ()
    before: Callable[[Engine], Awaitable[None]] | None = None
    stop_signal: int = signal.SIGTERM
    grace: float = 12.0
    ready_within: float = 60.0


@dataclass(frozen=True, slots=True)
class Task:
    """Something that is done once, between services. `run` returns how many seconds of it were spent waiting."""

    name: str
    run: Callable[[Engine], Awaitable[float]]
    needs: tuple[str, ...] = ()


Component = Service | Task
