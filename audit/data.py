"""What crosses the audit app's border: who acted, and what the log says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that changes things. `kind` is one of operator, member, key, system."""

    kind: str
    id: str
    label: str

    @classmethod
    def system(cls, name: str) -> Actor:
        return cls("system", name, name)


SYSTEM = Actor.system("lumos")


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
