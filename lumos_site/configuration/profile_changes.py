"""Changes of types' profiles and of tenants' exceptions; compares and names the services, decides nothing of theirs."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from lumos_site.configuration.changes import Findings, Kind, Run, shown
from lumos_site.configuration.current import Current
from lumos_site.configuration.document import Document, OverrideEntry, TenantEntry
from tenants.api import (
    ProfileField,
    ProfileValue,
    TenantType,
    live_overrides,
    override_value,
    revoke_override,
    set_profile_fields,
    set_tenant_type,
    tenant_by_slug,
)

REASON = "Set by the configuration file"


def compare_profiles(wanted: Document, current: Current, findings: Findings) -> None:
    known = {entry.type: entry.profile for entry in current.document.tenant_types}
    plans = {plan.code for plan in (*wanted.plans, *current.document.plans)}
    for entry in wanted.tenant_types:
        before = known.get(entry.type, {})
        changes = {field: value for field, value in entry.profile.items() if value != before.get(field)}
        plan = changes.get(ProfileField.DEFAULT_PLAN, "")
        if plan and plan not in plans:
            path = f"tenant_types.{entry.type}.profile.{ProfileField.DEFAULT_PLAN}"
            findings.mistake(entry.place, path, f"there is no plan {plan}")
        elif changes:
            lines = (f"{field}: {shown(before.get(field))} → {shown(value)}" for field, value in changes.items())
            act = partial(_set_profile, entry.type, changes)
            findings.add(Kind.CHANGE, f"profile of tenant type {entry.type}", entry.place, act, *lines)


def _set_profile(kind: TenantType, values: dict[ProfileField, ProfileValue], run: Run) -> None:
    set_profile_fields(tenant_type=kind, values=values, acting=run.acting, now=run.now)


def default_plan_of(kind: TenantType, wanted: Document, current: Current) -> str:
    """The code of the plan that new tenants of a type begin with, once the file is applied."""
    for document in (wanted, current.document):
        for entry in document.tenant_types:
            if entry.type is kind and ProfileField.DEFAULT_PLAN in entry.profile:
                return str(entry.profile[ProfileField.DEFAULT_PLAN])
    return ""


def compare_type(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    if entry.type is None or entry.type is have.type:
        return
    act = partial(_set_type, entry.slug, entry.type)
    findings.add(Kind.CHANGE, f"tenant {entry.slug}", entry.place, act, f"type: {have.type} → {entry.type}")


def _set_type(slug: str, kind: TenantType, run: Run) -> None:
    tenant_id = tenant_by_slug(slug).id
    set_tenant_type(tenant_id=tenant_id, tenant_type=kind, reason=REASON, acting=run.acting, now=run.now)


def compare_overrides(entry: TenantEntry, have: TenantEntry, findings: Findings) -> None:
    """The newest override of a field is what the file speaks of; a field that it leaves out stays as it is."""
    known = {override.of: override for override in have.overrides}
    for override in entry.overrides:
        before = known.get(override.of)
        subject = f"override of {override.of} of {entry.slug}"
        if override.value is None:
            if before is not None:
                act = partial(_revoke, entry.slug, override.of)
                findings.add(Kind.CHANGE, subject, override.place, act, f"{_line(before)} → default")
        elif before is None or not _is_same(override, before):
            act = partial(_override, entry.slug, override)
            kind = Kind.CHANGE if before else Kind.ADD
            findings.add(kind, subject, override.place, act, f"{_line(before)} → {_line(override)}")


def _is_same(wanted: OverrideEntry, have: OverrideEntry) -> bool:
    """A beginning that the file leaves out, or that lies in the past, is any beginning."""
    starts = (wanted.valid_from is None) or wanted.valid_from == have.valid_from or _both_begun(wanted, have)
    return (wanted.value, wanted.expires_at) == (have.value, have.expires_at) and starts


def _both_begun(wanted: OverrideEntry, have: OverrideEntry) -> bool:
    return (
        have.begun
        and wanted.valid_from is not None
        and have.valid_from is not None
        and (wanted.valid_from <= have.valid_from)
    )


def _line(entry: OverrideEntry | None) -> str:
    if entry is None:
        return "default"
    return f"{shown(entry.value)}{_span('from', entry.valid_from)}{_span('until', entry.expires_at)}"


def _span(word: str, moment: datetime | None) -> str:
    return f" {word} {moment:%Y-%m-%d %H:%M} UTC" if moment else ""


def _override(slug: str, entry: OverrideEntry, run: Run) -> None:
    override_value(
        tenant_id=tenant_by_slug(slug).id,
        field=entry.of,
        value=entry.value,
        reason=entry.reason or REASON,
        acting=run.acting,
        now=run.now,
        valid_from=entry.valid_from,
        expires_at=entry.expires_at,
    )


def _revoke(slug: str, field: ProfileField, run: Run) -> None:
    for row in live_overrides([tenant_by_slug(slug).id], now=run.now):
        if row.field is field:
            revoke_override(override_id=row.id, reason=REASON, acting=run.acting, now=run.now)
