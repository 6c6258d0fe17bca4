"""Errors of resource allocation.

LumosError
├── InvalidInput
│   └── AmountsNotUsable      nothing is asked for, or more than any machine has
├── NotFound
│   ├── PoolNotFound
│   └── AllocationNotFound
└── Conflict
    ├── PoolTaken             the host has a pool of that kind
    ├── PoolInUse             a pool cannot become smaller than what was given out of it, nor go before that is 0
    ├── RequestKeyTaken       the tenant asked for something else under that key
    ├── AllocationOver        it was released
    └── FollowsProfile        it is what the tenant's profile grants, and changes with that
"""

from __future__ import annotations

from core.errors import Conflict, InvalidInput, NotFound


class AmountsNotUsable(InvalidInput):
    code = "amounts_not_usable"
    title = "Ask for at least one kind, in whole numbers from 0 up to a million million"


class PoolNotFound(NotFound):
    code = "pool_not_found"
    title = "There is no such capacity pool"


class AllocationNotFound(NotFound):
    code = "allocation_not_found"
    title = "There is no such allocation"


class PoolTaken(Conflict):
    code = "pool_taken"
    title = "This host has a pool of that kind already"


class PoolInUse(Conflict):
    code = "pool_in_use"
    title = "More is given out of this pool than it would have"


class RequestKeyTaken(Conflict):
    code = "request_key_taken"
    title = "This tenant asked for something else under that name; resize what it has, or choose another name"


class AllocationOver(Conflict):
    code = "allocation_over"
    title = "This allocation was released"


class FollowsProfile(Conflict):
    code = "allocation_follows_profile"
    title = "This allocation is what the tenant's profile grants, and follows it"
