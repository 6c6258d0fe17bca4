"""A second process that outlives the supervisor for a few seconds and ends whatever that left; does nothing else.

The kernel already signals each child when the supervisor is gone (PR_SET_PDEATHSIG). The keeper adds a deadline, and
reaches grandchildren in sessions of their own. It holds the lock of var/ until all is gone, because it inherits it.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

from core.processes import kill_session
from lumos_site.supervisor.marks import marked_processes

GRACE_SECONDS = 10.0
_DONE = b"done\n"


class Keeper:
    """The supervisor's end of the pipe."""

    def __init__(self, mark: str, *, remove: Path | None = None) -> None:
        """Fork; must come before any thread or event loop exists. `remove` is deleted after an unorderly end."""
        reading, self._pipe = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _keep(reading, mark, remove)
        os.close(reading)

    def add(self, pid: int) -> None:
        self._tell(f"+{pid}\n".encode())

    def remove(self, pid: int) -> None:
        self._tell(f"-{pid}\n".encode())

    def dismiss(self) -> None:
        """All is stopped: the keeper has nothing to do."""
        self._tell(_DONE)
        os.close(self._pipe)
        with suppress(ChildProcessError):  # somebody killed it, and it was reaped like any orphan
            os.waitpid(self._pid, 0)

    def _tell(self, line: bytes) -> None:
        with suppress(BrokenPipeError):  # somebody killed the keeper; the kernel's signals remain
            os.write(self._pipe, line)


def _keep(pipe: int, mark: str, remove: Path | None) -> None:
    """The whole life of the keeper process; never returns."""
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        leaders = _follow(pipe)
        if leaders is not None:
            _clear(leaders, mark)
            if remove is not None:
                shutil.rmtree(remove, ignore_errors=True)
    finally:
        os._exit(0)


def _follow(pipe: int) -> dict[int, int] | None:
    """Read until the supervisor is gone: its children as pid -> pidfd, or None when it ended in order."""
    leaders: dict[int, int] = {}
    buffer = b""
    while data := os.read(pipe, 4096):
        *lines, buffer = (buffer + data).split(b"\n")
        for line in lines:
            if line + b"\n" == _DONE:
                return None
            pid = int(line[1:])
            if line.startswith(b"+"):
                with suppress(ProcessLookupError):
                    leaders[pid] = os.pidfd_open(pid)
            elif pid in leaders:
                os.close(leaders.pop(pid))
    return leaders


def _clear(leaders: dict[int, int], mark: str) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    while leaders:
        alive = select.poll()
        for descriptor in leaders.values():
            alive.register(descriptor, select.POLLIN)
        ended = {descriptor for descriptor, _ in alive.poll(max(0, int((deadline - time.monotonic()) * 1000)))}
        gone = [pid for pid, descriptor in leaders.items() if descriptor in ended or not ended]
        for pid in gone:  # not ended in time: killed with its session; ended: what it left in its session
            kill_session(pid)
            os.close(leaders.pop(pid))
    for pid in marked_processes(mark):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
