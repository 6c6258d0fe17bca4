"""Typed settings of scaling, from the environment, and when its tasks run; imports no Django."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.conf import ROOT, var_dir
from core.redis import namespace

TICK_SECONDS = 15.0
SCHEDULE = (
    ("scaling: decide", "scaling.tick", TICK_SECONDS),
    ("scaling: prune unchanged decisions", "scaling.prune_decisions", 3600.0),
)
KEEP_UNCHANGED_DAYS = 30
MEBIBYTE = 1024 * 1024


def _whole(name: str, default: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdigit():
        raise ValueError(f"{name}={text!r} is not valid; use a whole number")
    return int(text)


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What one worker is expected to need, and how long it may take to go. Bytes and seconds.

    `memory_request` is what 100 % of the memory metric stands for, and what the capacity rule assumes for a
    worker that was not measured yet.
    """

    memory_request: int
    memory_reserve: int
    drain_seconds: int
    inactive_drain_seconds: int


def worker_settings() -> WorkerSettings:
    return WorkerSettings(
        memory_request=_whole("LUMOS_WORKER_MEMORY_MB", 256) * MEBIBYTE,
        memory_reserve=_whole("LUMOS_MEMORY_RESERVE_MB", 512) * MEBIBYTE,
        drain_seconds=_whole("LUMOS_WORKER_DRAIN_SECONDS", 60),
        inactive_drain_seconds=_whole("LUMOS_WORKER_INACTIVE_DRAIN_SECONDS", 3),
    )


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How the local backend runs workers on this machine.

    `home` marks its workers in their environment, so that two installations never touch each other's. `cgroup` is a
    control group (version 2) in which this account may make groups for its workers. `secrets_file` is the workers' own:
    what is in the installation's, the master key above all, is none of theirs.
    """

    celery_app: str
    directory: Path
    run_dir: Path
    secrets_file: Path
    home: str
    stop_seconds: int
    orphan_seconds: int
    start_timeout_seconds: int
    cgroup: Path | None = None


def local_settings() -> LocalSettings:
    run_dir = var_dir().resolve() / "run" / "workers"
    return LocalSettings(
        celery_app=os.environ.get("LUMOS_CELERY_APP") or "lumos_site",
        directory=ROOT,
        run_dir=run_dir,
        secrets_file=run_dir.parent / "worker-secrets.json",
        home=f"{namespace()}@{run_dir}",
        stop_seconds=_whole("LUMOS_WORKER_STOP_SECONDS", 6),
        orphan_seconds=_whole("LUMOS_WORKER_ORPHAN_SECONDS", 6),
        start_timeout_seconds=_whole("LUMOS_WORKER_START_TIMEOUT_SECONDS", 60),
        cgroup=Path(os.environ["LUMOS_WORKER_CGROUP"]) if os.environ.get("LUMOS_WORKER_CGROUP") else None,
    )
