"""Reading settings and their history, in the schema of the tenant that is asked for."""

from __future__ import annotations

from core.tenancy import TenantRef, tenant_scope
from tenants.centre.data import Configuration, Json, SettingChange, SettingFacts, SettingsVersion
from tenants.centre.errors import VersionNotFound
from tenants.centre.history import values_at
from tenants.centre.registry import SPECS, spec_of
from tenants.workspace.models import Setting, SettingVersion

MOST_VERSIONS = 100


def configuration_of(tenant_id: str) -> Configuration:
    """Every setting of the tenant with its value or default."""
    with tenant_scope(TenantRef(tenant_id)):
        rows = {row.name: row for row in Setting.objects.all()}
        version = newest_version()
    return Configuration(
        version,
        tuple(
            SettingFacts(spec, row.value, True, row.version)
            if (row := rows.get(spec.name)) is not None
            else SettingFacts(spec, spec.default, False, 0)
            for spec in SPECS
        ),
    )


def setting_of(tenant_id: str, name: str) -> Json:
    """One value, or its default. Raises SettingNotFound."""
    return settings_named(tenant_id, name)[name]


def settings_named(tenant_id: str, *names: str) -> dict[str, Json]:
    """Their values or defaults, by name. Raises SettingNotFound."""
    defaults = {name: spec_of(name).default for name in names}
    with tenant_scope(TenantRef(tenant_id)):
        return defaults | dict(Setting.objects.filter(pk__in=names).values_list("name", "value"))


def versions_of(tenant_id: str, *, before: int | None = None, limit: int = MOST_VERSIONS) -> list[SettingsVersion]:
    """The history, newest first; `before` a version's number for the page after it."""
    with tenant_scope(TenantRef(tenant_id)):
        rows = SettingVersion.objects.order_by("-number")
        if before is not None:
            rows = rows.filter(number__lt=before)
        return [version_facts(row) for row in rows[:limit]]


def settings_at(tenant_id: str, number: int) -> dict[str, Json]:
    """What was set when that version was the newest; 0 is the beginning. Raises VersionNotFound."""
    with tenant_scope(TenantRef(tenant_id)):
        if not 0 <= number <= newest_version():
            raise VersionNotFound()
        later = SettingVersion.objects.filter(number__gt=number).order_by("-number")
        current = {row.name: row.value for row in Setting.objects.all()}
        return values_at(number, current, [version_facts(row) for row in later])


def newest_version() -> int:
    """Of the active tenant; 0 when nothing was ever set."""
    return SettingVersion.objects.order_by("-number").values_list("number", flat=True).first() or 0


def version_facts(row: SettingVersion) -> SettingsVersion:
    changes = tuple(SettingChange(name, before, after) for name, before, after in row.changes)
    return SettingsVersion(row.number, changes, row.actor_kind, row.actor, row.reason, row.at)
