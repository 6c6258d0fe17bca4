"""What crosses the border of the webhooks: which events there are, and what a list of deliveries shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.events import DomainEvent, event_type

VERSION = 1  # of the payloads; a field may be added under it, never taken away or given another meaning


class EventName(StrEnum):
    """What a tenant can be told of. A name is never given another meaning."""

    TENANT_SUSPENDED = "tenant.suspended"
    TENANT_RESUMED = "tenant.resumed"
    TENANT_ARCHIVED = "tenant.archived"
    TENANT_RESTORED = "tenant.restored"
    TENANT_RENAMED = "tenant.renamed"
    TENANT_PLAN_CHANGED = "tenant.plan_changed"
    TENANT_TYPE_CHANGED = "tenant.type_changed"
    TENANT_DATA_RESTORED = "tenant.data_restored"
    TENANT_DELETION_ASKED = "tenant.deletion_asked"
    TENANT_DELETION_CANCELLED = "tenant.deletion_cancelled"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    MEMBER_ADDED = "member.added"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    QUOTA_ALERT = "quota.alert"
    LIMITS_CHANGED = "limits.changed"
    SCALING_CHANGED = "scaling.changed"
    SETTINGS_CHANGED = "settings.changed"
    NETWORKS_CHANGED = "networks.changed"
    PROFILE_CHANGED = "profile.changed"
    IDENTITY_PROVIDER_CHANGED = "identity_provider.changed"
    IDENTITY_PROVIDER_REMOVED = "identity_provider.removed"
    WEBHOOK_TEST = "webhook.test"


CHOSEN = tuple(name for name in EventName if name is not EventName.WEBHOOK_TEST)  # what an endpoint can ask for


class DeliveryState(StrEnum):
    """HELD: its endpoint is disabled; it goes on when that is enabled. FAILED: given up, until somebody sends it."""

    WAITING = "WAITING"
    HELD = "HELD"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


@event_type("tenants.announced")
@dataclass(frozen=True, slots=True)
class Announced(DomainEvent):
    """Something that a tenant's endpoints are to be told. `id` names the message, `at` is an ISO instant."""

    tenant_id: str
    id: str
    name: str
    at: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """An endpoint without its secrets. `events` empty: all. `disabled_because` is "" while it is enabled."""

    id: str
    url: str
    description: str
    events: tuple[str, ...]
    enabled: bool
    disabled_because: str
    created_at: datetime
    created_by: str
    failing_since: datetime | None
    failures: int
    old_secret_until: datetime | None


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One attempt. `status` is None when there was no answer; `answer` is the beginning of the body."""

    at: datetime
    status: int | None
    took_ms: int
    error: str
    answer: str


@dataclass(frozen=True, slots=True)
class DeliveryText:
    """What was sent, and what came of it, newest attempt first."""

    headers: Mapping[str, str]
    payload: str
    attempts: tuple[AttemptFacts, ...]
