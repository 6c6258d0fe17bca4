"""How many more workers a machine can carry: pure arithmetic on what the backend measured."""

from __future__ import annotations

from collections.abc import Mapping

from scaling.conf import WorkerSettings
from scaling.data import Fleet, WorkerStatus


def free_slots(fleet: Fleet, desired: Mapping[str, int], settings: WorkerSettings) -> int:
    """Return the workers that still fit: memory left above the reserve, less those ordered and not yet up."""
    spare = max(0, fleet.machine.memory_available - settings.memory_reserve)
    ordered = sum(
        max(0, replicas - (len(fleet.tenants[tenant_id].live) if tenant_id in fleet.tenants else 0))
        for tenant_id, replicas in desired.items()
    )
    return max(0, spare // worker_bytes(fleet, settings) - ordered)


def worker_bytes(fleet: Fleet, settings: WorkerSettings) -> int:
    """Return what one worker needs: the 95th percentile of those that are up, else the configured request."""
    sizes = sorted(
        worker.rss_bytes
        for seen in fleet.tenants.values()
        for worker in seen.live
        if worker.status is not WorkerStatus.STARTING and worker.rss_bytes > 0
    )
    return sizes[(len(sizes) * 95 - 1) // 100] if sizes else settings.memory_request
