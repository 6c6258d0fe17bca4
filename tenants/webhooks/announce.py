"""The one way to tell a tenant's endpoints of something: in the transaction that causes it, through the outbox."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from audit.api import emit, emit_many
from core.ids import new_ulid
from tenants.webhooks.data import Announced, EventName


def announce(*, tenant_id: str, event: EventName, data: Mapping[str, Any], now: datetime) -> None:
    """Tell whoever has asked for such events, after the commit. `data` are JSON values without a secret."""
    emit(Announced(tenant_id, new_ulid(), event.value, now.isoformat(), dict(data)))


def announce_to_many(tenant_ids: Iterable[str], *, event: EventName, data: Mapping[str, Any], now: datetime) -> None:
    """Tell each of those tenants the same, each by a message of its own and within seconds rather than at once."""
    emit_many(Announced(each, new_ulid(), event.value, now.isoformat(), dict(data)) for each in tenant_ids)
