"""The pools of a new installation: one for each kind, from what this machine has; measures once and never again."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.db import transaction

from audit.api import Actor
from core.conf import var_dir
from tenants.allocation.data import ResourceKind
from tenants.allocation.pools import add_pool
from tenants.models import CapacityPool

REGION, HOST = "local", "this-machine"
RATIO = Decimal(10)
"""Ceilings are what a tenant may use at most; few do at once, and the machine's own limits hold beside them."""
MIB = 1024 * 1024
WORKER_MIB = 256  # what one worker is expected to need, as LUMOS_WORKER_MEMORY_MB unless that says otherwise


def machine_amounts() -> dict[ResourceKind, int]:
    """What this machine has in all; without the kinds that it lacks."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    cores = len(os.sched_getaffinity(0))
    found = {
        ResourceKind.CPU_MILLICORES: cores * 1000,
        ResourceKind.MEMORY_MIB: memory,
        ResourceKind.STORAGE_MIB: shutil.disk_usage(_existing(var_dir())).total // MIB,
        ResourceKind.GPUS: len(list(Path("/dev").glob("nvidia[0-9]*"))),
        ResourceKind.WORKER_SLOTS: memory // int(os.environ.get("LUMOS_WORKER_MEMORY_MB") or WORKER_MIB),
    }
    return {kind: amount for kind, amount in found.items() if amount}


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


@transaction.atomic
def seed_pools(*, acting: Actor, now: datetime) -> int:
    """Pools from the machine, where there is none at all; returns how many. GPUs are never given out twice."""
    if CapacityPool.objects.exists():
        return 0
    for kind, capacity in machine_amounts().items():
        ratio = Decimal(1) if kind is ResourceKind.GPUS else RATIO
        add_pool(region=REGION, name=HOST, kind=kind, capacity=capacity, oversubscription=ratio, acting=acting, now=now)
    return len(machine_amounts())
