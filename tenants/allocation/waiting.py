"""The waiting list: whose turn it is when something is given back, or when there is more; priority first, then age."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import Max

from audit.api import SYSTEM, Actor, Personal, emit_many, record
from core.faults import fault_point
from tenants.allocation.data import AllocationChanged, AllocationState, ResourceKind
from tenants.allocation.errors import AllocationNotFound, AllocationOver
from tenants.allocation.holding import Held, Pools, decide, settle, shrink, wait
from tenants.allocation.levels import applicant_of, dedicated_among, in_the_right_place
from tenants.allocation.selectors import holdings_of, waiting_list, wanted_by
from tenants.allocation.taking import lock_pools
from tenants.models import Allocation, CapacityPool

log = structlog.get_logger(__name__)
MOST = 1_000  # looked at in one round; the next round goes on
_HIGHEST = 2**31 - 1  # of a priority
_STANDING = ["state", "short_of", "reason", "waiting_since", "placed_at"]


def drain(region: str, pools: Pools, *, now: datetime) -> int:
    """Place whoever can be placed, in their order, within the caller's transaction, which has locked the pools.

    Who is in front and short of a kind keeps those behind, who want the same hosts, from that kind. A row that somebody
    else works on is passed by: whoever that is looks at the pools next. Returns how many got what they wait for.
    """
    rows = list(waiting_list(region).select_for_update(skip_locked=True, no_key=True)[:MOST])
    held = _bring_up_to_date(rows, pools, now)
    queues: defaultdict[str, list[Collection[ResourceKind]]] = defaultdict(list)
    rationed = {pool.kind for pool in pools.values()}
    placed = 0
    for row in rows:
        who = applicant_of(row)
        in_front = queues[who.queue]
        if rationed <= {kind for short in in_front for kind in short}:
            continue  # there is nothing left that those behind could have
        mine = held.get(row.pk, {})
        placement = decide(wanted_by(row), mine, who, pools.values(), in_front)
        if placement.fits:
            settle(row, mine, placement, pools, now)
            row.save(update_fields=_STANDING)
            _tell("capacity.place", row, SYSTEM)
            placed += 1
            continue
        in_front.append(placement.short)
        if row.reason != placement.sentence:
            wait(row, mine, placement, row.waiting_since or now)
            row.save(update_fields=_STANDING)
    return placed


def _bring_up_to_date(rows: Collection[Allocation], pools: Pools, now: datetime) -> dict[str, Held]:
    """Who has hosts of its own may be another one since they began to wait: what each still holds, by its id.

    Nobody waits with something on hosts that its level does not allow (any more): that is given back.
    """
    dedicated = dedicated_among({row.tenant_id for row in rows}, now=now) if rows else set()
    held: dict[str, Held] = dict(holdings_of(rows))
    for row in rows:
        if row.dedicated != (row.tenant_id in dedicated):
            row.dedicated = row.tenant_id in dedicated
            held[row.pk] = _stay(row, held.get(row.pk, {}), pools)
    return held


def _stay(row: Allocation, held: Held, pools: Pools) -> Held:
    """Hold only what is in the right place."""
    staying = in_the_right_place(held, pools, applicant_of(row))
    left = shrink(row, held, {kind: holding.amount for kind, holding in staying.items()}, pools)
    row.state = AllocationState.GROWING if left else AllocationState.WAITING
    row.save(update_fields=["dedicated", "state"])
    if left != held:
        _tell("capacity.resize", row, SYSTEM)
    return left


def move_up(*, tenant_id: str, allocation_id: str, acting: Actor, now: datetime) -> Allocation:
    """Put one that waits in front of all others of its region. Raises AllocationNotFound, AllocationOver."""
    with transaction.atomic():
        row = Allocation.objects.select_for_update(no_key=True).filter(pk=allocation_id, tenant_id=tenant_id).first()
        if row is None:
            raise AllocationNotFound()
        if row.waiting_since is None:
            raise AllocationOver("This allocation does not wait")
        highest: int = waiting_list(row.region).exclude(pk=row.pk).aggregate(most=Max("priority"))["most"] or 0
        if row.priority <= highest:
            row.priority = min(highest + 1, _HIGHEST)
            row.save(update_fields=["priority"])
            _tell("capacity.move_up", row, acting)
        drain(row.region, lock_pools(row.region), now=now)
    row.refresh_from_db()
    return row


@transaction.atomic
def retry_waiting(*, region: str, acting: Actor, now: datetime) -> int:
    """Look at a region's waiting list again; returns how many got what they wait for."""
    notice_rations(region, now=now)
    placed = drain(region, lock_pools(region), now=now)
    fault_point("tenants.allocation.drained")
    record("capacity.retry", actor=acting, tenant_id=None, target=region, detail={"placed": placed})
    return placed


def drain_all(*, now: datetime) -> int:
    """Beat's round over every region that has a pool; what it places is in the log one by one."""
    placed = 0
    for region in CapacityPool.objects.order_by("region").values_list("region", flat=True).distinct():
        with transaction.atomic():
            notice_rations(region, now=now)
            if waiting_list(region).exists():
                placed += drain(region, lock_pools(region), now=now)
    if placed:
        log.info("tenants.allocation.placed", allocations=placed)
    return placed


def notice_rations(region: str, *, now: datetime) -> int:
    """Who was given a kind while nobody counted it has to get it from the pool that there is now.

    Takes rows of allocations, so before the pools are locked.
    """
    kinds = set(CapacityPool.objects.filter(region=region).values_list("kind", flat=True))
    held = Allocation.objects.filter(region=region, state=AllocationState.HELD)
    return sum(
        held.filter(**{f"{kind}__gt": 0})
        .exclude(parts__kind=kind)
        .update(state=AllocationState.GROWING, waiting_since=now, short_of=[kind])
        for kind in sorted(kinds)
    )


def _tell(action: str, row: Allocation, acting: Actor) -> None:
    detail = {"name": Personal(row.request_key), "region": row.region, "state": row.state, "why": row.reason}
    record(action, actor=acting, tenant_id=row.tenant_id, target=row.public_id, detail=detail)
    emit_many([AllocationChanged(row.tenant_id, row.id)])
