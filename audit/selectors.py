"""Reads of the log that others share; facts, never lazy rows."""

from __future__ import annotations

from audit.data import EntryFacts
from audit.models import AuditEntry, ChainHead


def recent_entries(*, limit: int = 20, tenant_id: str = "") -> list[EntryFacts]:
    """The newest entries, of one tenant or of all."""
    rows = AuditEntry.objects.filter(tenant_id=tenant_id) if tenant_id else AuditEntry.objects.all()
    return [
        EntryFacts(
            id=row.id,
            at=row.at,
            tenant_id=row.tenant_id,
            actor_kind=row.actor_kind,
            actor_label=row.actor_label,
            action=row.action,
            target=row.target,
        )
        for row in rows.order_by("-at", "-id")[:limit]
    ]


def broken_chains() -> int:
    """How many chains a check found broken, or the sealer would not extend."""
    return ChainHead.objects.exclude(fault="", frozen=False).count()
