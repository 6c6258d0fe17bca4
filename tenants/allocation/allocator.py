"""ResourceAllocator: gives tenants their part of the machines, takes it back, tells why; who waits is `waiting`'s.

Order of locks: an allocation's row, then the pools by id, then the rows of others that wait, skipping those that
somebody works on. So nobody who holds a pool waits for anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from audit.api import SYSTEM, Actor, Personal, emit_many, record
from core.errors import InvalidInput
from core.faults import fault_point
from tenants.allocation.data import AllocationChanged, AllocationFacts, AllocationState, ResourceKind, by_kind
from tenants.allocation.errors import (
    AllocationNotFound,
    AllocationOver,
    AmountsNotUsable,
    FollowsProfile,
    RequestKeyTaken,
)
from tenants.allocation.holding import decide, give_back, settle, shrink, wait
from tenants.allocation.levels import applicant_of, dedicated_among, in_the_right_place
from tenants.allocation.selectors import allocation_by_id, facts_of, holdings_of, short_in_front_of, wanted_by
from tenants.allocation.sight import Sight, look
from tenants.allocation.taking import lock_pools, take
from tenants.allocation.waiting import drain
from tenants.data import ResourceAmounts, TenantStatus
from tenants.errors import WrongStatus
from tenants.models import Allocation
from tenants.models.capacity import MOST

CEILING = "ceiling"
"""The name of what the tenant's profile grants; it follows the profile."""
_GOING = (TenantStatus.DELETING, TenantStatus.DELETED)


@dataclass(frozen=True, slots=True)
class _Request:
    tenant_id: str
    key: str
    wanted: dict[ResourceKind, int]
    region: str
    priority: int
    acting: Actor
    now: datetime


class _Beaten(Exception):
    """What was seen to be free is not, or there was too little from the beginning: roll back, and queue up."""


def allocate(
    *,
    tenant_id: str,
    request_key: str,
    amounts: ResourceAmounts,
    acting: Actor,
    now: datetime,
    region: str = "",
    priority: int = 0,
) -> Allocation:
    """Give a tenant all of `amounts` from its region's pools, or put it into the waiting list; never a part of it.

    Asked again under the same key, the answer is what is there. Raises AmountsNotUsable, RequestKeyTaken, WrongStatus,
    TenantNotFound.
    """
    request = _Request(tenant_id, _key(request_key), usable(amounts), region, priority, acting, now)
    try:
        return _at_once(request) or _in_turn(request)
    except IntegrityError as error:
        if "allocation_one_per_key" not in str(error):
            raise
        return _same(request)  # somebody asked the same at the same time


@transaction.atomic
def resize(*, tenant_id: str, allocation_id: str, amounts: ResourceAmounts, acting: Actor, now: datetime) -> Allocation:
    """Change what an allocation is to hold: what is less is given back at once, what is more may wait, all or none.

    What is held on hosts that the tenant's isolation level does not allow (any more) is given back too, and moves.

    Raises AllocationNotFound, AllocationOver, AmountsNotUsable, FollowsProfile.
    """
    wanted = usable(amounts)
    row = _locked(tenant_id, allocation_id)
    moves = _another_level(row, now)
    if row.state == AllocationState.RELEASED:
        raise AllocationOver()
    if row.request_key == CEILING and acting != SYSTEM:
        raise FollowsProfile(next_step="Give the tenant a value of its own, or allocate more under another name")
    before = wanted_by(row)
    if wanted == before and not moves:
        return row
    pools, who = lock_pools(row.region), applicant_of(row)
    held = holdings_of([row]).get(row.pk, {})
    staying = in_the_right_place(held, pools, who)
    left = shrink(row, held, {kind: more for kind, more in wanted.items() if kind in staying}, pools)
    ahead = short_in_front_of(row.region, who, priority=row.priority, but=row.pk)
    placement = decide(wanted, left, who, pools.values(), ahead)
    for kind in ResourceKind:
        setattr(row, kind.value, wanted.get(kind, 0))
    if placement.fits:
        settle(row, left, placement, pools, now)
    else:
        wait(row, left, placement, _since(row, before, wanted, now))
    row.save()
    fault_point("tenants.allocation.resized")
    _tell("capacity.resize", row, acting, before)
    if drain(row.region, pools, now=now):
        row.refresh_from_db()
    return row


@transaction.atomic
def release(*, tenant_id: str, allocation_id: str, acting: Actor, now: datetime) -> Allocation:
    """Give everything back, and to those who wait. A second call changes nothing. Raises AllocationNotFound."""
    row = _locked(tenant_id, allocation_id)
    if row.state == AllocationState.RELEASED:
        return row
    pools = lock_pools(row.region)
    give_back(row, holdings_of([row]).get(row.pk, {}), pools)
    row.state, row.waiting_since, row.released_at = AllocationState.RELEASED, None, now
    row.short_of, row.reason = [], ""
    row.save()
    fault_point("tenants.allocation.freed")
    _tell("capacity.release", row, acting, wanted_by(row))
    drain(row.region, pools, now=now)
    return row


def explain(*, tenant_id: str, allocation_id: str) -> AllocationFacts:
    """What it holds, from which pools, and why those; or why it waits, and behind how many. For operators.

    Raises AllocationNotFound.
    """
    return facts_of([allocation_by_id(tenant_id, allocation_id)])[0]


class ResourceAllocator:
    """The four calls by one name."""

    allocate = staticmethod(allocate)
    resize = staticmethod(resize)
    release = staticmethod(release)
    explain = staticmethod(explain)


def usable(amounts: ResourceAmounts) -> dict[ResourceKind, int]:
    """What is asked for, by kind; raises AmountsNotUsable."""
    wrong = {kind.value: ["out of range"] for kind in ResourceKind if not 0 <= getattr(amounts, kind.value) <= MOST}
    if wrong or not by_kind(amounts):
        raise AmountsNotUsable(fields=wrong)
    return by_kind(amounts)


def _key(text: str) -> str:
    key = text.strip()
    if not 1 <= len(key) <= 80:
        raise InvalidInput("An allocation needs a name", fields={"request_key": ["must have 1 to 80 characters"]})
    return key


def _at_once(request: _Request) -> Allocation | None:
    """Decide by what is free as far as seen; the statement that takes it asks again. None: not so easily."""
    try:
        with transaction.atomic():
            sight = _look(request)
            row = _draft(request, sight)
            if row is None:
                return _same(request)
            placement = decide(request.wanted, {}, sight.who, sight.pools, sight.in_front)
            if not placement.fits:
                raise _Beaten
            row.state, row.waiting_since = AllocationState.HELD, None
            row.reason, row.placed_at = placement.sentence, request.now
            _tell("capacity.allocate", row, request.acting, {})
            if not take(row, placement.choices):  # the last thing, for others wait for these pools until the commit
                raise _Beaten
            fault_point("tenants.allocation.taken")
            return row
    except _Beaten:
        return None


@transaction.atomic
def _in_turn(request: _Request) -> Allocation:
    """Decide while the pools stand still. Who must wait is in the list before anybody can give anything back."""
    sight = _look(request)
    row = _draft(request, sight)
    if row is None:
        return _same(request)
    pools = lock_pools(row.region)
    ahead = short_in_front_of(row.region, sight.who, priority=request.priority)
    placement = decide(request.wanted, {}, sight.who, pools.values(), ahead)
    if placement.fits:
        settle(row, {}, placement, pools, request.now)
    else:
        wait(row, {}, placement, request.now)
    row.save(force_insert=True)
    fault_point("tenants.allocation.queued")
    _tell("capacity.allocate", row, request.acting, {})
    return row


def _look(request: _Request) -> Sight:
    return look(
        tenant_id=request.tenant_id,
        key=request.key,
        region=request.region,
        priority=request.priority,
        now=request.now,
    )


def _draft(request: _Request, sight: Sight) -> Allocation | None:
    """The new row, not stored yet; None when there is one under that key. Raises WrongStatus."""
    if sight.known:
        return None
    if sight.status in _GOING:
        raise WrongStatus("A tenant that is being deleted gets no resources")
    return Allocation(
        tenant_id=request.tenant_id,
        request_key=request.key,
        region=sight.region,
        dedicated=sight.who.dedicated,
        state=AllocationState.WAITING,
        waiting_since=request.now,
        priority=request.priority,
        asked_by=request.acting.label[:200],
        asked_at=request.now,
        **{kind.value: amount for kind, amount in request.wanted.items()},
    )


def _live() -> QuerySet[Allocation]:
    return Allocation.objects.exclude(state=AllocationState.RELEASED)


def _same(request: _Request) -> Allocation:
    """The answer to a repeated request."""
    known = _live().filter(tenant_id=request.tenant_id, request_key=request.key).first()
    if known is None:
        raise AllocationNotFound()  # released between its insertion and this look
    if wanted_by(known) != request.wanted:
        raise RequestKeyTaken(fields={"request_key": ["is taken"]})
    return known


def _locked(tenant_id: str, allocation_id: str) -> Allocation:
    rows = Allocation.objects.select_for_update(no_key=True).filter(pk=allocation_id, tenant_id=tenant_id)
    row = rows.first()
    if row is None:
        raise AllocationNotFound()
    return row


def _another_level(row: Allocation, now: datetime) -> bool:
    """Note the tenant's isolation level as it is now; whether it was another one when the row was placed."""
    before, row.dedicated = row.dedicated, row.tenant_id in dedicated_among([row.tenant_id], now=now)
    return before != row.dedicated


def _since(
    row: Allocation, before: dict[ResourceKind, int], wanted: dict[ResourceKind, int], now: datetime
) -> datetime:
    """Who asks for more than before goes to the end of the list."""
    more = any(amount > before.get(kind, 0) for kind, amount in wanted.items())
    return now if more or row.waiting_since is None else row.waiting_since


def _tell(action: str, row: Allocation, acting: Actor, before: dict[ResourceKind, int]) -> None:
    after = {} if row.state == AllocationState.RELEASED else wanted_by(row)
    record(
        action,
        actor=acting,
        tenant_id=row.tenant_id,
        target=row.public_id,
        before={kind.value: amount for kind, amount in before.items()},
        after={kind.value: amount for kind, amount in after.items()},
        detail={"name": Personal(row.request_key), "region": row.region, "state": row.state, "why": row.reason},
    )
    emit_many([AllocationChanged(row.tenant_id, row.id)])  # by the relay: telling takes as long as allocating
