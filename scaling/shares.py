"""How what a tenant may take in all is divided among its workers: pure, and the one rule for every backend.

Never more than the whole: where the slots are too many for a worker to live on its part, fewer workers run. An amount
of 0 limits nothing, so that nothing is divided; 0 slots are as many as the profile lets a policy ask for, unless slots
are rationed: then whoever has none runs none, which is not decided here.
"""

from __future__ import annotations

from typing import Final

from scaling.conf import MEBIBYTE
from scaling.data import WorkerLimits, WorkerShare
from tenants.api import ResourceAmounts

LEAST_MEMORY: Final = 192
"""MiB. Under this the product's own code does not fit, so a smaller share would only be a crash loop."""
_LEAST_CPU: Final = 1  # a thousandth of a core: the least that can be asked for
_LEAST_STORAGE: Final = 1  # MiB


def share_of(ceiling: ResourceAmounts, *, most: int) -> WorkerShare:
    """Among how many workers `ceiling`, all that is granted, is divided, and the equal share of each; `most` is the
    profile's bound."""
    fits = [
        amount // least
        for amount, least in (
            (ceiling.memory_mib, LEAST_MEMORY),
            (ceiling.cpu_millicores, _LEAST_CPU),
            (ceiling.storage_mib, _LEAST_STORAGE),
        )
        if amount
    ]
    workers = min([ceiling.worker_slots or most, *fits])
    parts = max(1, workers)
    limits = WorkerLimits(ceiling.memory_mib // parts * MEBIBYTE, ceiling.cpu_millicores // parts)
    return WorkerShare(workers, limits, ceiling.storage_mib // parts)
