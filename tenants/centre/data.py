"""What crosses the centre's border: what can be set, what is set, and the versions that led there. No value is None."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any

from django.utils.functional import Promise

from core.events import DomainEvent, event_type

Json = Any  # a JSON value; None stands for "not set", which means the default


class Editor(IntEnum):
    """Who may change a setting: the least that somebody must be."""

    ADMIN = 1
    OWNER = 2
    OPERATOR = 3


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One thing that can be set. `schema` is JSON Schema; `check` says what else is wrong with a value, or ""."""

    name: str
    title: Promise
    description: Promise
    schema: Mapping[str, Json]
    default: Json
    editor: Editor = Editor.ADMIN
    check: Callable[[Json], str] = field(default=lambda value: "", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SettingFacts:
    """A setting as it is now. `version` is that of its last change, 0 when it was never changed."""

    spec: SettingSpec
    value: Json
    is_set: bool
    version: int


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings of a tenant; `version` grows by one with each change of any of them."""

    version: int
    settings: tuple[SettingFacts, ...]

    def own_values(self) -> dict[str, Json]:
        """What is set, by name."""
        return {facts.spec.name: facts.value for facts in self.settings if facts.is_set}


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting before and after; None stands for "not set"."""

    name: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class SettingsVersion:
    """What one change changed, by whom, when and why."""

    number: int
    changes: tuple[SettingChange, ...]
    actor_kind: str
    actor: str
    reason: str
    at: datetime


@event_type("tenants.settings-changed")
@dataclass(frozen=True, slots=True)
class SettingsChanged(DomainEvent):
    """A tenant's settings have a new version."""

    tenant_id: str
    version: int
