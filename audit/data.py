"""What crosses the audit app's border: who acted, and what the log says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that changes things. `kind` is one of operator, member, key, system.

    `acts_for`: an operator in a member's place, whom the label names too.
    """

    kind: str
    id: str
    label: str
    acts_for: bool = False

    @property
    def is_named_by_tenant(self) -> bool:
        """Whether the label holds the name of a tenant's person or thing, and not of an operator or of Lumos alone."""
        return self.kind in ("member", "key") or self.acts_for

    @classmethod
    def system(cls, name: str) -> Actor:
        return cls("system", name, name)


SYSTEM = Actor.system("lumos")


@dataclass(frozen=True, slots=True)
class Personal:
    """A value in what `record` is told that may name a person or a company: an address, a name, what somebody typed.

    It is kept apart from the entry and goes with the tenant or account that the entry is about.
    """

    value: object


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """One line of the log. `tenant_id` is empty when it concerns no tenant."""

    id: str
    at: datetime
    tenant_id: str
    actor_kind: str
    actor_label: str
    action: str
    target: str


@dataclass(frozen=True, slots=True)
class SignedHead:
    """The end of a chain at one instant. `chain` is a tenant's id or `platform`, `hash` that of link `sequence`."""

    chain: str
    sequence: int
    hash: str
    sealed_at: datetime
    key_id: str
    signature: str


class FaultKind(StrEnum):
    """How a chain can be broken; the sentence of the fault says it in words."""

    GAP = "gap"
    ALTERED = "altered"
    RENAMED = "renamed"
    ENTRY_GONE = "entry_gone"
    BROKEN_LINK = "broken_link"
    CUT_TAIL = "cut_tail"
    FORGED_HEAD = "forged_head"
    REWRITTEN = "rewritten"
    UNSEALED = "unsealed"


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first thing that is wrong with a chain. `sequence` is that of the first bad link, 0 when none is to blame."""

    chain: str
    kind: FaultKind
    sequence: int
    sentence: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a check of one chain found: `links` that hold, up to the fault when there is one."""

    chain: str
    links: int
    fault: ChainFault | None
