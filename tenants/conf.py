"""Typed settings of tenants, from the environment, and when their tasks run; imports no Django."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

FILL_SECONDS = 2.0
SCHEDULE = (
    ("tenants: keep schemas ready", "tenants.fill_pool", FILL_SECONDS),
    ("tenants: carry jobs on", "tenants.run_jobs", 2.0),
    ("tenants: tell of overrides that begin or end", "tenants.announce_overrides", 2.0),
    ("tenants: delete what is kept no longer", "tenants.prune_workspaces", 21600.0),
    ("tenants: place who waits for resources", "tenants.tend_capacity", 10.0),
    ("tenants: end impersonations whose time is up", "tenants.end_impersonations", 30.0),
    ("tenants: compare schemas with the template", "tenants.find_drift", 86400.0),
    ("tenants: prove the isolation of all", "tenants.prove_isolation", 86400.0),
    ("tenants: back up who is due", "tenants.back_up_due", 900.0),
    ("tenants: deliver webhooks", "tenants.deliver_webhooks", 2.0),
    ("tenants: forget old deliveries", "tenants.prune_webhooks", 86400.0),
    ("tenants: prove a backup by restoring it", "tenants.backup_drill", 86400.0),
)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How many schemas wait for tenants, and how many are made or dropped in a second at most."""

    size: int
    per_second: float


def pool_settings() -> PoolSettings:
    """LUMOS_POOL_SIZE and LUMOS_POOL_PER_SECOND. Raises ValueError for what is no number of that kind."""
    size, per_second = os.environ.get("LUMOS_POOL_SIZE") or "16", os.environ.get("LUMOS_POOL_PER_SECOND") or "4"
    if not size.isdigit() or int(size) > 10_000:
        raise ValueError(f"LUMOS_POOL_SIZE={size!r} is not valid; use a whole number up to 10000")
    if not per_second.replace(".", "", 1).isdigit() or not 0 < float(per_second) <= 100:
        raise ValueError(f"LUMOS_POOL_PER_SECOND={per_second!r} is not valid; use a number above 0, up to 100")
    return PoolSettings(int(size), float(per_second))


def deletion_grace() -> timedelta:
    """LUMOS_DELETE_GRACE_DAYS: how long a deletion can be taken back. Raises ValueError for what is no such number."""
    days = os.environ.get("LUMOS_DELETE_GRACE_DAYS") or "30"
    if not days.isdigit() or int(days) > 365:
        raise ValueError(f"LUMOS_DELETE_GRACE_DAYS={days!r} is not valid; use a whole number from 0 to 365")
    return timedelta(days=int(days))
