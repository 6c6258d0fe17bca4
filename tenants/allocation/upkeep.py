"""Beat's round: what no event told, who still waits, and whether the pools' counts are right; decides nothing."""

from __future__ import annotations

from datetime import datetime

import structlog

from tenants.allocation.ceilings import follow_profiles
from tenants.allocation.selectors import miscounted_pools
from tenants.allocation.waiting import drain_all

log = structlog.get_logger(__name__)


def tend(*, now: datetime) -> int:
    """Returns how many got what they wait for."""
    follow_profiles(now=now)
    placed = drain_all(now=now)
    for pool_id in miscounted_pools():
        log.error("tenants.allocation.miscounted", pool=pool_id)
    return placed
