"""How much a worker may take of the machine, and what holds it to that; owns the means, decides no amount.

Three means, and a worker's view names those in force. A control group (Linux, version 2) when the operator delegated
one in LUMOS_WORKER_CGROUP and the kernel lets the worker in: it ends what takes too much memory and shares CPU time
exactly. Else the kernel refuses private memory over the limit (RLIMIT_DATA), the agent kills what is over it all the
same, and CPU is held by whole cores: so many as the share rounds up to, at a lower priority than the platform's own
processes.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from scaling.data import WorkerLimits

NICENESS = 5
_PERIOD_MICROSECONDS = 100_000
_turn = count()


@dataclass(frozen=True, slots=True)
class Cage:
    """What holds one worker: `group` is its control group, None where there is none; `means` names it for people."""

    limits: WorkerLimits
    group: Path | None
    means: tuple[str, ...]

    def over(self, rss_bytes: int) -> bool:
        """Whether the agent has to act, because no control group does."""
        return self.group is None and 0 < self.limits.memory_bytes < rss_bytes

    def enter(self) -> bool:
        """Put the process that calls into the group; False when there is none, or the kernel lets nobody in."""
        if self.group is None:
            return False
        with suppress(OSError):
            return (self.group / "cgroup.procs").write_text("0") > 0
        return False

    def as_entered(self) -> Cage:
        """What holds the worker truly, once its process runs: the group only when somebody is in it."""
        if self.group is None:
            return self
        with suppress(OSError):
            if (self.group / "cgroup.procs").read_text().strip():
                return self
        self.remove()
        return Cage(self.limits, None, _means(self.limits, None))

    def remove(self) -> None:
        if self.group is not None:
            with suppress(OSError):
                self.group.rmdir()


def make_cage(limits: WorkerLimits, *, base: Path | None, name: str) -> Cage:
    """The best means that there are here. `base` is a control group that was delegated to this account."""
    group = _made_group(limits, base, name)
    return Cage(limits, group, _means(limits, group))


def _means(limits: WorkerLimits, group: Path | None) -> tuple[str, ...]:
    memory = ["cgroup memory.max" if group else "RLIMIT_DATA and the agent"] if limits.memory_bytes else []
    cpu = ["cgroup cpu.max" if group else "whole cores and nice"] if limits.cpu_millicores else []
    return (*memory, *cpu)


def _made_group(limits: WorkerLimits, base: Path | None, name: str) -> Path | None:
    """A new group below `base` with the limits in it; None where the kernel does not let us."""
    if base is None:
        return None
    group = base / name
    try:
        group.mkdir()
        if limits.memory_bytes:
            (group / "memory.max").write_text(str(limits.memory_bytes))
            (group / "memory.swap.max").write_text("0")
        if limits.cpu_millicores:
            quota = limits.cpu_millicores * _PERIOD_MICROSECONDS // 1000
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def in_the_child(cage: Cage, before: Callable[[], None]) -> Callable[[], None]:
    """What runs between fork and exec: `before`, then what the kernel takes from the process itself."""
    limits, cores = cage.limits, _cores(cage.limits.cpu_millicores)

    def confine() -> None:
        before()
        os.nice(NICENESS)
        entered = cage.enter()
        if not entered and limits.memory_bytes:
            resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_bytes, limits.memory_bytes))
        if not entered and limits.cpu_millicores:
            os.sched_setaffinity(0, cores)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump of memory would hold the tenant's data

    return confine


def _cores(millicores: int) -> set[int]:
    """As many cores as the share needs, in turn, so that one-core workers do not all sit on the first."""
    known = sorted(os.sched_getaffinity(0))
    wanted = min(len(known), -(-millicores // 1000))
    first = next(_turn)
    return {known[(first + number) % len(known)] for number in range(wanted)}
