"""What one worker of a tenant may take, from what the tenant may take in all: pure."""

from __future__ import annotations

from scaling.conf import MEBIBYTE
from scaling.data import WorkerLimits
from tenants.api import ResourceAmounts

LEAST_MEMORY = 192 * MEBIBYTE
"""Under this the product's own code does not fit, so a smaller share would only be a crash loop."""


def worker_limits(ceiling: ResourceAmounts) -> WorkerLimits:
    """An equal share for each worker slot; 0 is "not limited", which an amount of 0 means."""
    slots = max(1, ceiling.worker_slots)
    memory = ceiling.memory_mib * MEBIBYTE // slots
    return WorkerLimits(max(memory, LEAST_MEMORY) if memory else 0, ceiling.cpu_millicores // slots)
