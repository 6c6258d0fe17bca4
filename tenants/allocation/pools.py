"""Capacity pools: made, made larger or smaller, closed to new allocations, removed; gives nothing out itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from audit.api import Actor, record
from core.errors import InvalidInput
from core.faults import fault_point
from tenants.allocation.data import PoolFacts, ResourceKind
from tenants.allocation.errors import PoolInUse, PoolNotFound, PoolTaken
from tenants.allocation.hosts import reservation_of
from tenants.allocation.taking import lock_pools, pool_facts
from tenants.allocation.waiting import drain, notice_rations
from tenants.models import CapacityPool
from tenants.models.capacity import LEAST_RATIO, MOST, MOST_RATIO

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
ONE = Decimal(1)


def add_pool(
    *,
    region: str,
    name: str,
    kind: ResourceKind,
    capacity: int,
    acting: Actor,
    now: datetime,
    oversubscription: Decimal = ONE,
    accepting: bool = True,
) -> CapacityPool:
    """Give out of so much more; who waits for it gets it at once. Raises InvalidInput and PoolTaken."""
    pool = CapacityPool(
        region=region,
        name=name,
        kind=kind,
        capacity=capacity,
        oversubscription=oversubscription,
        accepting=accepting,
        created_at=now,
    )
    _check(pool)
    try:
        return _add(pool, acting, now)
    except IntegrityError as error:
        if "pool_one_per_host_and_kind" not in str(error):
            raise
        raise PoolTaken(fields={"name": ["is taken"]}) from error


@transaction.atomic
def _add(pool: CapacityPool, acting: Actor, now: datetime) -> CapacityPool:
    pool.save(force_insert=True)
    fault_point("tenants.allocation.pool")
    _tell("capacity.add_pool", pool, acting, None, _size(pool))
    notice_rations(pool.region, now=now)
    lock_pools(pool.region)  # from here on nobody reserves the host, and whoever just did is seen
    CapacityPool.objects.filter(pk=pool.pk).update(reserved_for=reservation_of(pool.region, pool.name))
    drain(pool.region, lock_pools(pool.region), now=now)
    pool.refresh_from_db()
    return pool


@transaction.atomic
def change_pool(
    *,
    pool_id: str,
    acting: Actor,
    now: datetime,
    capacity: int | None = None,
    oversubscription: Decimal | None = None,
    accepting: bool | None = None,
) -> CapacityPool:
    """Change what is mentioned. Raises PoolNotFound, InvalidInput, and PoolInUse for less than is given out."""
    pool, pools = _locked(pool_id)
    before = _size(pool)
    pool.capacity = pool.capacity if capacity is None else capacity
    pool.oversubscription = pool.oversubscription if oversubscription is None else oversubscription
    pool.accepting = pool.accepting if accepting is None else accepting
    _check(pool)
    if pool.used > pool.limit:
        raise PoolInUse(
            fields={"capacity": [f"{pool.used:,} are given out"]}, next_step="Release or resize allocations first"
        )
    if _size(pool) != before:
        pool.save(update_fields=["capacity", "oversubscription", "accepting"])
        _tell("capacity.change_pool", pool, acting, before, _size(pool))
        pools[pool.id] = pool_facts(pool)
        drain(pool.region, pools, now=now)
        pool.refresh_from_db()
    return pool


@transaction.atomic
def remove_pool(*, pool_id: str, acting: Actor, now: datetime) -> None:
    """Take away a pool of which nothing is given out. Raises PoolNotFound and PoolInUse."""
    pool, pools = _locked(pool_id)
    if pool.used:
        raise PoolInUse("Something is given out of this pool", next_step="Close it, and release or resize what is left")
    _tell("capacity.remove_pool", pool, acting, _size(pool), None)
    pool.delete()
    left = {key: facts for key, facts in pools.items() if key != pool_id}
    drain(pool.region, left, now=now)


def _locked(pool_id: str) -> tuple[CapacityPool, dict[str, PoolFacts]]:
    """The pool, and all of its region; they are locked in their order."""
    region = CapacityPool.objects.filter(pk=pool_id).values_list("region", flat=True).first()
    pools = lock_pools(region) if region is not None else {}
    if pool_id not in pools:
        raise PoolNotFound()
    return CapacityPool.objects.get(pk=pool_id), pools


def _check(pool: CapacityPool) -> None:
    faults: dict[str, list[str]] = {}
    for field in ("region", "name"):
        if _NAME.fullmatch(getattr(pool, field)) is None:
            faults[field] = ["has 1 to 40 letters, digits and . _ -, and starts with a letter or digit"]
    if not 0 <= pool.capacity <= MOST:
        faults["capacity"] = [f"must be from 0 to {MOST}"]
    if not LEAST_RATIO <= pool.oversubscription <= MOST_RATIO:
        faults["oversubscription"] = [f"must be from {LEAST_RATIO} to {MOST_RATIO}"]
    elif pool.oversubscription != round(pool.oversubscription, 2):
        faults["oversubscription"] = ["has at most two decimals"]
    if faults:
        raise InvalidInput("This pool cannot be", fields=faults)


def _size(pool: CapacityPool) -> dict[str, object]:
    return {
        "capacity": pool.capacity,
        "oversubscription": format(pool.oversubscription.normalize(), "f"),
        "accepting": pool.accepting,
    }


def _tell(
    action: str,
    pool: CapacityPool,
    acting: Actor,
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
) -> None:
    detail = {"region": pool.region, "name": pool.name, "kind": str(pool.kind)}
    record(action, actor=acting, tenant_id=None, target=pool.public_id, before=before, after=after, detail=detail)
