"""Bringing the database to head: the order public, template, tenants; owns the public schema's migration."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from core.tenancy import platform_scope
from tenants.api import migrate_fleet, migrate_template, only_one, schemas_behind

_LOCK = 7_052_001  # advisory: one process migrates, the others wait


def migrate_everything(*, verbosity: int = 0, parallel: int = 2) -> list[str]:
    """Migrate what lags behind, public first; returns the schemas that were behind.

    Raises ImproperlyConfigured under the settings of a role that leaves apps, and so their tables, out, and when a
    tenant's schema could not be brought to head.
    """
    if [*settings.SHARED_APPS, *settings.TENANT_APPS] != settings.INSTALLED_APPS:
        raise ImproperlyConfigured("Migrate with lumos_site.settings.control: other roles leave apps out")
    if not schemas_behind():
        return []
    with platform_scope(), only_one(_LOCK):
        behind = schemas_behind()
        if "public" in behind:
            call_command("migrate_schemas", schema_name="public", interactive=False, verbosity=verbosity)
        failed = migrate_fleet(parallel=parallel).failed
    if failed:
        raise ImproperlyConfigured(
            f"{len(failed)} schemas could not be migrated, the first is {failed[0]}; "
            "./lumos migrate_tenants --status says why"
        )
    return behind


def migrate_template_for_tests() -> None:
    """The template alone: a test database has its public schema already, and no tenants."""
    migrate_template()
