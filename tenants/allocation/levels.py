"""Which tenants have hosts of their own: their isolation level, as allocation needs it; reads, places nobody."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from tenants.allocation.data import Applicant, Holding, PoolFacts, ResourceKind
from tenants.data import IsolationLevel
from tenants.models import Allocation
from tenants.profiles.effective import effective_profiles


def dedicated_among(tenant_ids: Collection[str], *, now: datetime) -> set[str]:
    """Those of the tenants whose profile gives them hosts of their own at `now`."""
    profiles = effective_profiles(tenant_ids, now=now)
    return {key for key, profile in profiles.items() if profile.isolation is IsolationLevel.DEDICATED}


def applicant_of(row: Allocation) -> Applicant:
    """Whoever the allocation is for, by the level that the row was last given."""
    return Applicant(row.tenant_id, row.dedicated)


def in_the_right_place(
    held: Mapping[ResourceKind, Holding], pools: Mapping[str, PoolFacts], who: Applicant
) -> dict[ResourceKind, Holding]:
    """What of it may stay where it is."""
    return {kind: holding for kind, holding in held.items() if who.may_use(pools[holding.pool_id])}
