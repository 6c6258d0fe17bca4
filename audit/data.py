"""What crosses the audit app's border: who acted."""

from __future__ import annotations

from dataclasses import dataclass


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
