"""Entries of the log as readers get them, with the names that stand apart."""

from __future__ import annotations

from typing import Any

from audit.models import AuditEntry
from audit.selectors import entries_with_names, named


def entries(**filters: Any) -> list[AuditEntry]:
    """Oldest first."""
    return [named(row) for row in entries_with_names().filter(**filters).order_by("at", "id")]


def the_entry(**filters: Any) -> AuditEntry:
    """The only one."""
    [entry] = entries(**filters)
    return entry
