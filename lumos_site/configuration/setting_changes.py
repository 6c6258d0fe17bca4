"""Changes of a tenant's settings: those that a file names; all of one tenant are one version."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from lumos_site.configuration.changes import Findings, Kind, Run
from lumos_site.configuration.document import TenantEntry
from tenants.api import Editor, change_settings, tenant_by_slug

REASON = "By the configuration file"


def compare_settings(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    changes = {name: value for name, value in entry.settings.items() if have.settings.get(name) != value}
    if changes:
        kind = Kind.CHANGE if have.settings.keys() & changes.keys() else Kind.ADD
        lines = (f"{name}: {_told(have.settings.get(name))} → {_told(value)}" for name, value in changes.items())
        act = partial(_change, entry.slug, changes)
        findings.add(kind, f"settings of {entry.slug}", entry.place, act, *lines)


def _told(value: Any) -> str:
    return "default" if value is None else json.dumps(value, ensure_ascii=False)


def _change(slug: str, values: dict[str, Any], run: Run) -> None:
    change_settings(
        tenant_id=tenant_by_slug(slug).id,
        values=values,
        editor=Editor.OPERATOR,
        acting=run.acting,
        now=run.now,
        reason=REASON,
    )
