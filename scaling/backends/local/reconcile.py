"""Which workers to start and which to let go: pure, for one tenant at a time; touches no process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scaling.data import WorkerStatus

Identity = tuple[int, float]
"""pid and create time: a pid alone may be somebody else's by now."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A worker as the choice of victims sees it. `since` is when its status began, in epoch seconds."""

    identity: Identity
    status: WorkerStatus
    since: float


@dataclass(frozen=True, slots=True)
class Moves:
    start: int = 0
    drain: tuple[Identity, ...] = ()


def moves(wanted: int, workers: Iterable[Facts]) -> Moves:
    """Return what brings the workers that are not draining to `wanted`."""
    live = [worker for worker in workers if worker.status is not WorkerStatus.DRAINING]
    if len(live) <= wanted:
        return Moves(start=wanted - len(live))
    victims = sorted(live, key=_expendable)[: len(live) - wanted]
    return Moves(drain=tuple(victim.identity for victim in victims))


def _expendable(worker: Facts) -> tuple[int, float]:
    """Sort key: the newest that still starts, then the longest idle, then the one whose task is youngest."""
    if worker.status is WorkerStatus.STARTING:
        return (0, -worker.since)
    if worker.status is WorkerStatus.IDLE:
        return (1, worker.since)
    return (2, -worker.since)
