"""What an allocation holds, changed together with the pools that it is of. The caller has locked both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from tenants.allocation.data import AllocationState, Applicant, Choice, Holding, Placement, PoolFacts, ResourceKind
from tenants.allocation.placement import place, queued
from tenants.allocation.taking import shift
from tenants.models import Allocation, AllocationPart

Pools = dict[str, PoolFacts]
Held = Mapping[ResourceKind, Holding]


def decide(
    wanted: Mapping[ResourceKind, int],
    held: Held,
    who: Applicant,
    pools: Collection[PoolFacts],
    in_front: Collection[Collection[ResourceKind]],
) -> Placement:
    """Where it goes, unless somebody in front is short of what it needs more of."""
    more = [kind for kind, amount in wanted.items() if kind not in held or amount > held[kind].amount]
    return queued(more, in_front) or place(wanted, list(pools), held, who)


def shrink(allocation: Allocation, held: Held, wanted: Mapping[ResourceKind, int], pools: Pools) -> Held:
    """Give back what is no longer wanted; returns what is left."""
    left = {
        kind: replace(holding, amount=min(holding.amount, wanted[kind]))
        for kind, holding in held.items()
        if wanted.get(kind)
    }
    if left != held:
        _store(allocation, held, left.values(), pools)
    return left


def settle(allocation: Allocation, held: Held, placement: Placement, pools: Pools, now: datetime) -> None:
    """Let it hold what the placement says; the row is not saved."""
    _store(allocation, held, [_holding(choice) for choice in placement.choices], pools)
    allocation.state, allocation.short_of, allocation.reason = AllocationState.HELD, [], placement.sentence
    allocation.waiting_since, allocation.placed_at = None, now


def wait(allocation: Allocation, held: Held, placement: Placement, since: datetime) -> None:
    """Put it into the waiting list with what it holds; the row is not saved."""
    allocation.state = AllocationState.GROWING if held else AllocationState.WAITING
    allocation.short_of, allocation.reason = [kind.value for kind in placement.short], placement.sentence
    allocation.waiting_since = since


def give_back(allocation: Allocation, held: Held, pools: Pools) -> None:
    """Hold nothing any more."""
    _store(allocation, held, (), pools)


def _holding(choice: Choice) -> Holding:
    return Holding(choice.kind, choice.pool.id, choice.pool.name, choice.amount)


def _store(allocation: Allocation, before: Held, after: Collection[Holding], pools: Pools) -> None:
    changes: Counter[str] = Counter()
    for holding in before.values():
        changes[holding.pool_id] -= holding.amount
    for holding in after:
        changes[holding.pool_id] += holding.amount
    shift(changes)
    for pool_id, more in changes.items():
        pools[pool_id] = replace(pools[pool_id], used=pools[pool_id].used + more)
    if before:
        AllocationPart.objects.filter(allocation=allocation).delete()
    AllocationPart.objects.bulk_create(
        AllocationPart(
            allocation=allocation,
            tenant_id=allocation.tenant_id,
            pool_id=holding.pool_id,
            kind=holding.kind,
            amount=holding.amount,
        )
        for holding in after
    )
