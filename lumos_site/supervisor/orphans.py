"""Ends and reaps what others of this run left behind; knows nothing of components.

The supervisor adopts orphans, because that is how a fork of the zygote becomes its child. So whatever a killed process
leaves comes here too, and somebody has to take note of its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from core.processes import adopt_orphans
from lumos_site.supervisor.marks import marked_processes

_LOOK_AGAIN_SECONDS = 0.05


class Orphans:
    """Reaps from the moment it is made. `is_ours` says of a child that somebody else waits for it."""

    def __init__(self, is_ours: Callable[[int], bool]) -> None:
        self._is_ours = is_ours
        self._loop = asyncio.get_running_loop()
        adopt_orphans()
        self._loop.add_signal_handler(signal.SIGCHLD, self._reap)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if self._is_ours(ended.si_pid):  # the kernel names the same one until that is reaped
                    self._loop.call_later(_LOOK_AGAIN_SECONDS, self._reap)
                    return
                os.waitpid(ended.si_pid, 0)


def end_strays(mark: str) -> None:
    """Kill what was started in sessions of its own by parents that did not take it along."""
    for pid in marked_processes(mark):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
