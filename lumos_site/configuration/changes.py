"""What applying a file would do, one change at a time; owns how changes are told, performs nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from audit.api import Actor
from lumos_site.configuration.marks import ConfigurationRefused, Mistake, Place


class Kind(StrEnum):
    """The sign in front of a change, as people read differences. REMOVE takes something away from somebody."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


@dataclass(slots=True)
class Run:
    """One application of a file: who acts and when, and the API keys that it makes, by tenant and name."""

    acting: Actor
    now: datetime
    new_keys: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """`act` performs it through the services of the room that it belongs to."""

    kind: Kind
    subject: str
    details: tuple[str, ...]
    place: Place
    act: Callable[[Run], object] = field(compare=False)

    @property
    def is_destructive(self) -> bool:
        return self.kind is Kind.REMOVE

    def __str__(self) -> str:
        return "\n".join([f"{self.kind} {self.subject}", *(f"    {detail}" for detail in self.details)])


@dataclass(slots=True)
class Findings:
    """Changes in the order in which they must happen, and mistakes that only show against what is there."""

    changes: list[Change] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, kind: Kind, subject: str, place: Place, act: Callable[[Run], object], *details: str) -> None:
        self.changes.append(Change(kind, subject, details, place, act))

    def mistake(self, place: Place, path: str, message: str) -> None:
        self.mistakes.append(Mistake(place, path, message))

    def refuse_mistakes(self) -> None:
        if self.mistakes:
            raise ConfigurationRefused(self.mistakes)


def differing(wanted: object, have: object, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of `wanted` that are mentioned and differ from those of `have`, with their wanted values."""
    return {
        name: getattr(wanted, name)
        for name in names
        if getattr(wanted, name) is not None and getattr(wanted, name) != getattr(have, name)
    }


def mentioned(wanted: object, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields of `wanted` that are mentioned."""
    return {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not None}


def told(changes: Mapping[str, Any], have: object | None = None) -> tuple[str, ...]:
    """One line for each field: its value, or what becomes what."""
    if have is None:
        return tuple(f"{name}: {shown(value)}" for name, value in changes.items())
    return tuple(f"{name}: {shown(getattr(have, name))} → {shown(value)}" for name, value in changes.items())


def shown(value: object) -> str:
    """A value as the file would say it."""
    if value is None or value in ("", (), {}):
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, tuple):
        return ", ".join(shown(part) for part in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(part)}" for name, part in value.items())
    return str(value)
