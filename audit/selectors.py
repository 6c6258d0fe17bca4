"""Reads of the log that others share; facts, never lazy rows."""

from __future__ import annotations

from copy import copy
from typing import Any

from django.db.models import Q, QuerySet

from audit.data import EntryFacts
from audit.models import AuditEntry, ChainHead, EntryNames
from audit.names import FACTS, TEXTS, put_back


def entries_with_names() -> QuerySet[AuditEntry]:
    """All rows, each read together with its names."""
    return AuditEntry.objects.select_related("names")


def aimed_at(target: str) -> Q:
    """Entries with that target, whether it stands in them or apart."""
    return Q(target=target) | Q(names__target=target)


def named(entry: AuditEntry, *, gone: str | None = None) -> AuditEntry:
    """A copy for readers, with names where the row has references; with `gone` where they were forgotten."""
    names: EntryNames | None = getattr(entry, "names", None)
    shown = copy(entry)
    for name in TEXTS:
        taken = getattr(names, name, "")
        setattr(shown, name, taken or put_back(getattr(entry, name), {}, gone=gone))
    for name in FACTS:
        setattr(shown, name, put_back(getattr(entry, name), names.values if names else {}, gone=gone))
    return shown


def names_of(entry: AuditEntry) -> dict[str, Any] | None:
    """The names as `audit.names.are_its_names` wants them; None when there are none, or none any more."""
    names: EntryNames | None = getattr(entry, "names", None)
    if names is None:
        return None
    return {"key": names.key, **{name: getattr(names, name) for name in TEXTS}, "values": names.values}


def recent_entries(*, limit: int = 20, tenant_id: str = "") -> list[EntryFacts]:
    """The newest entries, of one tenant or of all."""
    rows = entries_with_names().filter(tenant_id=tenant_id) if tenant_id else entries_with_names()
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
        for row in map(named, rows.order_by("-at", "-id")[:limit])
    ]


def broken_chains() -> int:
    """How many chains a check found broken, or the sealer would not extend."""
    return ChainHead.objects.exclude(fault="", frozen=False).count()
