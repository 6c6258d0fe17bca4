"""The values of resource allocation that cross its border; owns shapes, no rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from core.events import DomainEvent, event_type
from tenants.data import ResourceAmounts


class ResourceKind(StrEnum):
    """What is given out, under the name of its field in ResourceAmounts."""

    CPU_MILLICORES = "cpu_millicores"
    MEMORY_MIB = "memory_mib"
    STORAGE_MIB = "storage_mib"
    GPUS = "gpus"
    WORKER_SLOTS = "worker_slots"


class AllocationState(StrEnum):
    """WAITING holds nothing yet; GROWING keeps what it holds and waits for the rest."""

    WAITING = "WAITING"
    HELD = "HELD"
    GROWING = "GROWING"
    RELEASED = "RELEASED"


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A pool at one moment; `limit` is what may be given out of it, capacity times oversubscription.

    `reserved_for` is the only tenant that may have any of it, empty where there is none.
    """

    id: str
    region: str
    name: str
    kind: ResourceKind
    capacity: int
    oversubscription: Decimal
    used: int
    accepting: bool = True
    reserved_for: str = ""

    @property
    def limit(self) -> int:
        return int(self.capacity * self.oversubscription)

    @property
    def free(self) -> int:
        return self.limit - self.used


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who is to be placed: `dedicated` on hosts that are reserved for it, everybody else on those that are not."""

    tenant_id: str
    dedicated: bool

    def may_use(self, pool: PoolFacts) -> bool:
        return pool.reserved_for == self.queue

    @property
    def queue(self) -> str:
        """Who is in the same one wants the same hosts: all that share, or one tenant by itself."""
        return self.tenant_id if self.dedicated else ""


ANYBODY = Applicant("", dedicated=False)
"""Whoever has no host of its own."""


@dataclass(frozen=True, slots=True)
class HostStanding:
    """On which hosts a tenant holds something: all of them; those that are not its own; those that are others' own.

    `intruders` are the other tenants that hold something on hosts of its own: none, as long as the rule holds.
    """

    dedicated: bool
    hosts: tuple[str, ...]
    shared: tuple[str, ...]
    foreign: tuple[str, ...]
    intruders: int


@dataclass(frozen=True, slots=True)
class Holding:
    """What an allocation has of one kind, and from which pool."""

    kind: ResourceKind
    pool_id: str
    pool: str
    amount: int


@dataclass(frozen=True, slots=True)
class Choice:
    """The pool for one kind: `amount` is what is held of it afterwards, `more` what is taken for that."""

    pool: PoolFacts
    amount: int
    more: int

    @property
    def kind(self) -> ResourceKind:
        return self.pool.kind


@dataclass(frozen=True, slots=True)
class Placement:
    """Where everything goes, or what there is too little of; `sentence` tells which and why."""

    choices: tuple[Choice, ...]
    short: tuple[ResourceKind, ...]
    sentence: str

    @property
    def fits(self) -> bool:
        return not self.short


@dataclass(frozen=True, slots=True)
class AllocationFacts:
    """One allocation, for whoever may know everything of it. `ahead` are those that wait in front of it."""

    id: str
    tenant_id: str
    request_key: str
    region: str
    state: AllocationState
    wanted: ResourceAmounts
    held: ResourceAmounts
    holdings: tuple[Holding, ...]
    sentence: str
    priority: int
    ahead: int
    asked_by: str
    asked_at: datetime
    waiting_since: datetime | None
    placed_at: datetime | None
    released_at: datetime | None


@dataclass(frozen=True, slots=True)
class OwnAllocation:
    """One allocation as its tenant sees it: nothing of pools, other tenants or who runs the platform."""

    id: str
    request_key: str
    region: str
    state: AllocationState
    wanted: ResourceAmounts
    held: ResourceAmounts
    asked_at: datetime
    waiting_since: datetime | None
    placed_at: datetime | None


@event_type("tenants.allocation-changed")
@dataclass(frozen=True, slots=True)
class AllocationChanged(DomainEvent):
    """A tenant was given resources, waits for some, or holds others than before."""

    tenant_id: str
    allocation_id: str


def by_kind(amounts: ResourceAmounts) -> dict[ResourceKind, int]:
    """What is asked for, without the kinds of which nothing is."""
    return {kind: getattr(amounts, kind.value) for kind in ResourceKind if getattr(amounts, kind.value)}


def amounts_of(kinds: Mapping[ResourceKind, int]) -> ResourceAmounts:
    return ResourceAmounts(**{kind.value: amount for kind, amount in kinds.items()})
