"""Writing to the log; its order and its chains are `audit.chain`'s, events `audit.outbox`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from audit.concealment import conceal
from audit.data import Actor
from audit.models import AuditEntry
from core.request_id import current_request_id


def record(
    action: str,
    *,
    actor: Actor,
    tenant_id: str | None,
    target: str,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry, in the caller's transaction: when it cannot be written, nothing else is either.

    `action` is a dotted verb such as `tenants.suspend`. `before` and `after` are what was changed, and `detail` what
    else is worth knowing; whatever looks like a credential in them is replaced by its fingerprint.
    """
    AuditEntry.objects.create(
        tenant_id=tenant_id or "",
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label,
        action=action,
        target=target,
        reason=reason,
        before=None if before is None else conceal(before),
        after=None if after is None else conceal(after),
        detail=conceal(detail or {}),
        request_id=current_request_id(),
    )
