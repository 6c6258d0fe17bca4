"""The part of the local backend inside a tenant's worker: tells its status, and leaves when the agent is gone.

The status is one line in a file that the agent named: a word and the epoch second since when. Writing it costs a
system call per task, needs no server, and survives a restart of the agent. Nothing here knows a tenant's data.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from importlib import import_module
from typing import Any

from scaling.data import WorkerStatus

OUT_OF_MEMORY = 86
"""Exit code of a worker that left because a task asked for more memory than there was for it."""
STATE_FILE, ORPHAN_SECONDS = "LUMOS_WORKER_STATE", "LUMOS_WORKER_ORPHAN_SECONDS"
_LINE = "{:<8} {:<20.3f}\n"


class StatusFile:
    """One fixed-width line, overwritten in place, so that a reader sees the old line or the new one."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        self._leaving = False

    def write(self, status: WorkerStatus) -> None:
        """Note the status; once draining, always draining."""
        self._leaving = self._leaving or status is WorkerStatus.DRAINING
        shown = WorkerStatus.DRAINING if self._leaving else status
        os.pwrite(self._descriptor, _LINE.format(shown, time.time()).encode(), 0)


def install() -> None:
    """Connect to Celery's signals; does nothing in a process that the agent did not start."""
    path = os.environ.get(STATE_FILE)
    if not path:
        return
    from celery import signals

    file = StatusFile(path)

    def when(signal_: Any, status: WorkerStatus) -> None:
        def note(**_: Any) -> None:
            file.write(status)

        signal_.connect(note, weak=False)

    when(signals.worker_ready, WorkerStatus.IDLE)
    when(signals.task_prerun, WorkerStatus.BUSY)
    when(signals.task_postrun, WorkerStatus.IDLE)
    when(signals.worker_shutting_down, WorkerStatus.DRAINING)
    signals.task_failure.connect(_leave_when_out_of_memory, weak=False)
    signals.worker_shutdown.connect(_name_the_lack_of_memory, weak=False)
    _watch_parent(float(os.environ.get(ORPHAN_SECONDS) or 6))


def _leave_when_out_of_memory(exception: BaseException | None = None, **_: Any) -> None:
    """The task has failed and is not tried again; what it left in memory goes with the process."""
    if isinstance(exception, MemoryError):
        state: Any = import_module("celery.worker.state")
        state.should_stop = OUT_OF_MEMORY


def _name_the_lack_of_memory(sender: Any = None, **_: Any) -> None:
    """What the task left over may be too little for Celery as well, which then ends by itself, for any cause with 1."""
    cause = sys.exc_info()[1]
    while cause is not None and not isinstance(cause, MemoryError):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        sender.exitcode = OUT_OF_MEMORY


def _watch_parent(grace: float) -> None:
    """The kernel's SIGTERM begins a warm shutdown when the agent dies; this ends it after `grace` seconds."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        time.sleep(grace)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="watch-agent", daemon=True).start()
