"""Linux calls about a process and its parent, for everything that starts processes; owns no policy."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 1, 15, 36
_USER_TIME, _SYSTEM_TIME, _START_TIME = 11, 12, 19  # proc_pid_stat(5): fields 14, 15, 22, counted from behind the name
_TICKS = os.sysconf("SC_CLK_TCK")
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, death_signal: int) -> None:
    """The kernel sends `death_signal` to this process when the thread that is its parent ends.

    Exits when `parent` is not, or is no longer, the parent.
    """
    _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it went before we asked
        os._exit(1)


def dies_with_parent(death_signal: int) -> Callable[[], None]:
    """A preexec function: the new process gets `death_signal` when this one is gone."""
    parent = os.getpid()
    return lambda: die_with_parent(parent, death_signal)


def adopt_orphans() -> None:
    """From now on what descends from this process becomes its child, and no longer init's, when its parent ends."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def name_process(name: str) -> None:
    """What `top` and `ps -o comm` show, at most 15 characters of it."""
    _libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def kill_session(pid: int, how: int = signal.SIGKILL) -> None:
    """Signal everything that is left in the session that `pid` leads."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def started_at(pid: int) -> int:
    """When the process was made, in ticks since the machine started: with the pid, what no other process has.

    Raises OSError when there is no such process.
    """
    return int(_stat(pid)[_START_TIME])


@dataclass(frozen=True, slots=True)
class ProcessFigures:
    """What a process takes: bytes of memory, and of that what is no one else's; seconds of CPU time; open files.

    `created_at` is in seconds since the epoch.
    """

    resident_bytes: int
    own_bytes: int
    cpu_seconds: float
    open_files: int
    created_at: float


def figures_of(pid: int) -> ProcessFigures:
    """Raises OSError when there is no such process, or it is not ours to look at."""
    stat, proc = _stat(pid), Path(f"/proc/{pid}")
    sizes = dict(line.split(":") for line in (proc / "smaps_rollup").read_text().splitlines()[1:])
    own = sum(int(sizes[kind].split()[0]) for kind in ("Private_Clean", "Private_Dirty"))
    ticks = int(stat[_USER_TIME]) + int(stat[_SYSTEM_TIME])
    files = len(list((proc / "fd").iterdir()))
    created = _booted_at() + int(stat[_START_TIME]) / _TICKS
    return ProcessFigures(int(sizes["Rss"].split()[0]) * 1024, own * 1024, ticks / _TICKS, files, created)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


@cache
def _booted_at() -> float:
    lines = Path("/proc/stat").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("btime ")))
