"""What a type of tenant grants, what one tenant has instead, and where each value that holds comes from; no rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.events import DomainEvent, event_type
from tenants.data.facts import TenantType


class IsolationLevel(StrEnum):
    """Whose machines a tenant's workers run on: such as it shares with others, or hosts that are reserved for it alone.

    Schema, role, data key, worker processes and network fence are its own at either level.
    """

    STANDARD = "STANDARD"
    DEDICATED = "DEDICATED"


class FailurePolicy(StrEnum):
    """What the gateway does with a request while its counters cannot be asked: refuse it, or serve a small share."""

    FAIL_CLOSED = "FAIL_CLOSED"
    CONSERVATIVE = "CONSERVATIVE"


class ProfileField(StrEnum):
    """One value of a profile, under the name that it has everywhere: column, file, REST."""

    CPU_MILLICORES = "cpu_millicores"
    MEMORY_MIB = "memory_mib"
    STORAGE_MIB = "storage_mib"
    GPUS = "gpus"
    WORKER_SLOTS = "worker_slots"
    MIN_REPLICAS = "min_replicas"
    MAX_REPLICAS = "max_replicas"
    ISOLATION_LEVEL = "isolation_level"
    FAILURE_POLICY = "failure_policy"
    RETENTION_DAYS = "retention_days"
    ALLOWED_MODELS = "allowed_models"
    DEFAULT_PLAN = "default_plan"


ProfileValue = int | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResourceAmounts:
    """Amounts of what a machine has: thousandths of a core, MiB, MiB, whole GPUs, worker processes."""

    cpu_millicores: int = 0
    memory_mib: int = 0
    storage_mib: int = 0
    gpus: int = 0
    worker_slots: int = 0


@dataclass(frozen=True, slots=True)
class ScalingLimits:
    """Between which numbers of workers a scaling policy may move; `min_replicas` is never above the other."""

    min_replicas: int
    max_replicas: int

    def within(self, replicas: int) -> int:
        """The nearest number that is allowed."""
        return min(max(replicas, self.min_replicas), self.max_replicas)


@dataclass(frozen=True, slots=True)
class OverrideFacts:
    """One tenant's own value in place of its type's: from `valid_from` on, until `expires_at` if that is set."""

    id: str
    tenant_id: str
    field: ProfileField
    value: ProfileValue
    reason: str
    by: str
    valid_from: datetime
    expires_at: datetime | None


class ValueSource(StrEnum):
    PROFILE = "profile"
    OVERRIDE = "override"


@dataclass(frozen=True, slots=True)
class EffectiveValue:
    """What holds for one field, what the type alone would give, and the override that decided, if one did.

    `beside` are the tenant's other overrides of the field that are not over: covered by a newer one, or yet to begin.
    """

    field: ProfileField
    value: ProfileValue
    profile_value: ProfileValue
    override: OverrideFacts | None = None
    beside: tuple[OverrideFacts, ...] = ()

    @property
    def source(self) -> ValueSource:
        return ValueSource.OVERRIDE if self.override else ValueSource.PROFILE


@dataclass(frozen=True, slots=True)
class EffectiveProfile:
    """All that holds for a tenant at one moment. `allowed_models` empty: every model of the catalogue.

    `default_plan` is the code of the plan that a new tenant of the type begins with, "" for none.
    """

    tenant_id: str
    type: TenantType
    ceiling: ResourceAmounts
    scaling: ScalingLimits
    isolation: IsolationLevel
    failure_policy: FailurePolicy
    retention_days: int
    allowed_models: tuple[str, ...]
    default_plan: str
    values: Mapping[ProfileField, EffectiveValue]

    def __getitem__(self, field: ProfileField) -> EffectiveValue:
        return self.values[field]


@event_type("tenants.profile-changed")
@dataclass(frozen=True, slots=True)
class ProfileChanged(DomainEvent):
    """What a type of tenant grants is another thing now, for all tenants of that type."""

    tenant_type: str
