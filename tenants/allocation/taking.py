"""Taking from pools and giving back: the only statements that change what a pool has given out; decides nothing.

Whoever takes locks the pools in the order of their ids, so that two never wait for each other, and holds the locks
until the end of the transaction. Somebody who holds locks of pools waits for no other row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import connection

from core.prepared import fetch_prepared
from tenants.allocation.data import Choice, PoolFacts, ResourceKind
from tenants.models import Allocation, CapacityPool

# Everything in one statement: pools are locked only from here to the commit. What was read of them before may be old,
# so it is asked again under the lock, and either all of them give or none. The parts come with the allocation.
_TAKE = """
WITH wanted AS (
  SELECT * FROM unnest(%(pools)s::text[], %(kinds)s::text[], %(amounts)s::bigint[]) AS w(pool_id, kind, amount)
), locked AS (
  SELECT id, used, accepting, capacity * oversubscription AS most, reserved_for_id FROM tenants_capacitypool
  WHERE id = ANY(%(pools)s) ORDER BY id FOR NO KEY UPDATE
), fits AS (
  SELECT count(*) = cardinality(%(pools)s::text[])
    AND coalesce(bool_and(
      l.accepting AND l.used + w.amount <= l.most AND coalesce(l.reserved_for_id, '') = %(queue)s
    ), true) AS all_of_them
  FROM locked l JOIN wanted w ON w.pool_id = l.id
), taken AS (
  UPDATE tenants_capacitypool p SET used = p.used + w.amount
  FROM wanted w, fits WHERE fits.all_of_them AND p.id = w.pool_id RETURNING p.id
), kept AS (
  INSERT INTO tenants_allocation (
    id, tenant_id, request_key, region, state, cpu_millicores, memory_mib, storage_mib, gpus, worker_slots,
    priority, short_of, reason, asked_by, asked_at, placed_at, dedicated
  )
  SELECT %(id)s, %(tenant_id)s, %(request_key)s, %(region)s, 'HELD', %(cpu_millicores)s, %(memory_mib)s,
    %(storage_mib)s, %(gpus)s, %(worker_slots)s, %(priority)s, '[]', %(reason)s, %(asked_by)s, %(asked_at)s,
    %(placed_at)s, %(dedicated)s
  FROM fits WHERE fits.all_of_them RETURNING id, tenant_id
), parts AS (
  INSERT INTO tenants_allocationpart (allocation_id, tenant_id, pool_id, kind, amount)
  SELECT kept.id, kept.tenant_id, w.pool_id, w.kind, w.amount FROM kept, wanted w RETURNING 1
)
SELECT count(*) FROM kept
"""
_FIELDS = (
    *("id", "tenant_id", "request_key", "region", "priority", "reason", "asked_by", "asked_at", "placed_at"),
    "dedicated",
)
_SHIFT = """
UPDATE tenants_capacitypool p SET used = p.used + w.more
FROM unnest(%(pools)s::text[], %(more)s::bigint[]) AS w(pool_id, more) WHERE p.id = w.pool_id
"""


def take(allocation: Allocation, choices: Collection[Choice]) -> bool:
    """Store a new allocation that holds `choices`; False, and nothing, when a pool has no room any more.

    Locks the pools either way: who was told False ends the transaction before it locks others.
    Raises IntegrityError when the tenant has something under that key.
    """
    values = {name: getattr(allocation, name) for name in _FIELDS}
    values |= {kind.value: getattr(allocation, kind.value) for kind in ResourceKind}
    values["queue"] = allocation.tenant_id if allocation.dedicated else ""
    values["pools"] = [choice.pool.id for choice in choices]
    values["kinds"] = [choice.kind.value for choice in choices]
    values["amounts"] = [choice.amount for choice in choices]
    row = fetch_prepared(_TAKE, values)
    return row is not None and row[0] > 0


def lock_pools(region: str) -> dict[str, PoolFacts]:
    """All pools of a region, held still until the transaction ends."""
    rows = CapacityPool.objects.select_for_update(no_key=True).filter(region=region).order_by("id")
    return {pool.id: pool_facts(pool) for pool in rows}


def lock_regions(regions: Collection[str]) -> None:
    """All pools of several regions in their one order, for who goes through the regions one by one."""
    list(CapacityPool.objects.select_for_update(no_key=True).filter(region__in=regions).order_by("id"))


def shift(changes: Mapping[str, int]) -> None:
    """Add to what each pool has given out, by pool id; the pools are locked by the caller, who knows that it fits."""
    changes = {pool_id: more for pool_id, more in changes.items() if more}
    if changes:
        with connection.cursor() as cursor:
            cursor.execute(_SHIFT, {"pools": list(changes), "more": list(changes.values())})


def pool_facts(pool: CapacityPool) -> PoolFacts:
    return PoolFacts(
        id=pool.id,
        region=pool.region,
        name=pool.name,
        kind=ResourceKind(pool.kind),
        capacity=pool.capacity,
        oversubscription=pool.oversubscription,
        used=pool.used,
        accepting=pool.accepting,
        reserved_for=pool.reserved_for_id or "",
    )
