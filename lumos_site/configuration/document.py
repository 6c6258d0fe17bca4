"""What a configuration file says, typed; owns shapes only. None stands for "not mentioned", which means: leave it.

The same types hold what an installation has (see current.py), so that the two can be compared field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.api import PlanPrice
from lumos_site.configuration.marks import Place
from quotas.api import Dimension
from scaling.api import Mode
from tenants.api import ProfileField, ProfileValue, ResourceKind, Role, TenantType

NOWHERE = Place("installation", 0, 0)
NOBODY = "nobody"  # in the place of a tenant's slug, which cannot be this


@dataclass(frozen=True, slots=True)
class Secret:
    """A provider's key: its value, or the environment variable that holds it. Never shown by repr."""

    value: str = field(repr=False)
    variable: str | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    name: str
    kind: str | None = None
    base_url: str | None = None
    enabled: bool | None = None
    options: dict[str, int] | None = None
    keys: dict[str, Secret] = field(default_factory=dict)
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CostEntry:
    """What the operator pays, in the currency's major unit for one token."""

    currency: str
    input_token: Decimal
    cached_token: Decimal
    output_token: Decimal


@dataclass(frozen=True, slots=True)
class ModelEntry:
    name: str
    provider: str | None = None
    upstream_name: str | None = None
    kinds: tuple[str, ...] | None = None
    context: int | None = None
    max_output: int | None = None
    default_output: int | None = None
    enabled: bool | None = None
    cost: CostEntry | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


class LimitWord(StrEnum):
    """Instead of a number: no limit at all, or no limit of one's own."""

    UNLIMITED = "unlimited"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class LimitEntry:
    """`value` in the dimension's unit, money in micro-units. Only a tenant's own limit ends and has a reason."""

    dimension: Dimension
    value: int | LimitWord
    hard: bool = True
    expires_at: datetime | None = None
    reason: str | None = field(default=None, compare=False)
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """A plan and its newest terms. Other terms than the newest published version's make a new version."""

    code: str
    name: str | None = None
    description: str | None = None
    tenant_types: tuple[TenantType, ...] | None = None
    currency: str | None = None
    monthly_fee: Decimal | None = None
    prices: tuple[PlanPrice, ...] | None = None
    limits: tuple[LimitEntry, ...] = ()
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TypeEntry:
    """What a type grants: the limits of every tenant that has none of its own or of its plan, and its profile."""

    type: TenantType
    limits: tuple[LimitEntry, ...] = ()
    profile: Mapping[ProfileField, ProfileValue] = field(default_factory=dict)
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KeyEntry:
    name: str
    live: bool | None = None
    scopes: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    expires_at: datetime | None = None
    networks: tuple[str, ...] | None = None
    revoked: bool = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ScalingEntry:
    """`queue_target` 0 stands for "the queue is not looked at"."""

    min_replicas: int | None = None
    max_replicas: int | None = None
    cpu_target_percent: int | None = None
    memory_target_percent: int | None = None
    queue_target: int | None = None
    scale_up_cooldown_seconds: int | None = None
    scale_down_cooldown_seconds: int | None = None
    mode: Mode | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OverrideEntry:
    """A tenant's exception. `value` None: none of its own; `begun` is told of what an installation has."""

    of: ProfileField
    value: ProfileValue | None
    reason: str | None = None
    valid_from: datetime | None = None
    expires_at: datetime | None = None
    begun: bool = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)


class WantedStatus(StrEnum):
    """What a file may ask of a tenant."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class TenantEntry:
    slug: str
    name: str | None = None
    type: TenantType | None = None
    plan: str | None = None
    region: str | None = None
    status: WantedStatus | None = None
    networks: tuple[str, ...] | None = None
    portal_networks: tuple[str, ...] | None = None
    members: dict[str, Role] = field(default_factory=dict)
    keys: tuple[KeyEntry, ...] = ()
    limits: tuple[LimitEntry, ...] = ()
    overrides: tuple[OverrideEntry, ...] = ()
    scaling: ScalingEntry | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """How much of one kind a host has, and how many times it may be given out."""

    region: str
    name: str
    kind: ResourceKind
    capacity: int | None = None
    oversubscription: Decimal | None = None
    accepting: bool | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HostEntry:
    """For which tenant alone a host is: its slug, or NOBODY where it is for everybody who shares."""

    region: str
    name: str
    reserved_for: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Document:
    pools: tuple[PoolEntry, ...] = ()
    hosts: tuple[HostEntry, ...] = ()
    providers: tuple[ProviderEntry, ...] = ()
    models: tuple[ModelEntry, ...] = ()
    plans: tuple[PlanEntry, ...] = ()
    tenant_types: tuple[TypeEntry, ...] = ()
    tenants: tuple[TenantEntry, ...] = ()
