"""The three Linux calls that keep processes from being left behind; owns no policy."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

MARK = "LUMOS_SUPERVISOR"


def dies_with_parent(death_signal: int) -> Callable[[], None]:
    """A preexec function: the kernel sends `death_signal` to the new process when this one is gone."""
    parent = os.getpid()

    def ask_kernel() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it went before we asked
            os._exit(1)

    return ask_kernel


def kill_group(pid: int, how: int = signal.SIGKILL) -> None:
    """Signal everything that is left in the session of `pid`."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, how)


def marked_processes(mark: str) -> Iterator[int]:
    """Processes started, directly or not, with LUMOS_SUPERVISOR=`mark` in their environment."""
    needle = f"{MARK}={mark}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                if needle in (folder / "environ").read_bytes().split(b"\0"):
                    yield int(folder.name)
