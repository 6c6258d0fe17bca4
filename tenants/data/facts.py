"""Tenants, members, keys, jobs, schemas and backups as other rooms may know them: enums, events, facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from core.events import DomainEvent, event_type


class TenantType(StrEnum):
    INDIVIDUAL = "INDIVIDUAL"
    SMALL_BUSINESS = "SMALL_BUSINESS"
    ENTERPRISE = "ENTERPRISE"
    GOVERNMENT = "GOVERNMENT"
    EDUCATIONAL = "EDUCATIONAL"


class TenantStatus(StrEnum):
    """What a tenant may do now. DELETED is a tombstone: an id that bills and the audit log still name."""

    PROVISIONING = "PROVISIONING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    ARCHIVED = "ARCHIVED"
    DELETING = "DELETING"
    DELETED = "DELETED"


class JobKind(StrEnum):
    CREATE = "CREATE"
    SUSPEND = "SUSPEND"
    RESUME = "RESUME"
    ARCHIVE = "ARCHIVE"
    RESTORE = "RESTORE"
    DELETE = "DELETE"


class JobState(StrEnum):
    """STUCK: it failed too often, and goes on when somebody says so."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    STUCK = "STUCK"
    CANCELLED = "CANCELLED"


OPEN_JOBS = (JobState.WAITING, JobState.RUNNING, JobState.STUCK)


class StepState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class JobStep:
    """One step: `started_at` is an ISO instant, `ms` what its last attempt took, `note` what it found or lacks."""

    name: str
    state: StepState = StepState.WAITING
    started_at: str = ""
    ms: int = 0
    note: str = ""


class Role(StrEnum):
    """What a member may do in a tenant."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    DEVELOPER = "DEVELOPER"
    BILLING = "BILLING"
    VIEWER = "VIEWER"


class Scope(StrEnum):
    """What an API key may be used for."""

    INFERENCE = "inference"
    USAGE_READ = "usage:read"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"
    AUDIT_READ = "audit:read"


@event_type("tenants.tenant-changed")
@dataclass(frozen=True, slots=True)
class TenantChanged(DomainEvent):
    """A tenant was created, suspended, resumed, archived, renamed or given another type or plan."""

    tenant_id: str
    status: str


@event_type("tenants.key-changed")
@dataclass(frozen=True, slots=True)
class KeyChanged(DomainEvent):
    """An API key was created, revoked or given other limits. `digest` is the stored HMAC, never the key."""

    tenant_id: str
    key_id: str
    digest: str


@event_type("tenants.member-changed")
@dataclass(frozen=True, slots=True)
class MemberChanged(DomainEvent):
    """An account became a member, got another role, or is a member no longer."""

    tenant_id: str
    user_id: int


@dataclass(frozen=True, slots=True)
class MemberFacts:
    """A member as a list shows one."""

    id: str
    user_id: int
    email: str
    name: str
    role: Role
    since: datetime
    last_sign_in: datetime | None


@dataclass(frozen=True, slots=True)
class InvitationFacts:
    """An invitation that nobody has used or withdrawn yet; it may have expired."""

    id: str
    email: str
    role: Role
    invited_by: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """A key's own limits under its tenant's. None stands for no limit of its own."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key as other rooms may know it."""

    id: str
    tenant_id: str
    digest: str
    name: str
    live: bool
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    expires_at_ms: int | None
    revoked: bool
    limits: KeyLimits
    networks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TenantFacts:
    """A tenant as other rooms may know it."""

    id: str
    slug: str
    name: str
    type: TenantType
    status: TenantStatus
    plan: str
    region: str
    networks: tuple[str, ...] = ()
    portal_networks: tuple[str, ...] = ()


class SchemaStatus(StrEnum):
    """What the last run or comparison found of a schema of the fleet."""

    CURRENT = "CURRENT"
    MIGRATING = "MIGRATING"
    FAILED = "FAILED"
    DRIFTED = "DRIFTED"


@dataclass(frozen=True, slots=True)
class FleetProgress:
    """A run of migrations over the fleet, so far: schemas to do, done, and given up."""

    total: int
    migrated: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """How many schemas were compared with the template, and what differs in each that does."""

    compared: int
    drifted: Mapping[str, tuple[str, ...]]


class BackupKind(StrEnum):
    """Why a file was made; scheduled ones are pruned by age, exports when somebody deletes them."""

    SCHEDULED = "SCHEDULED"
    EXPORT = "EXPORT"


class BackupStatus(StrEnum):
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
