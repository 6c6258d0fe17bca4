"""Bringing the database to head, and knowing whether it is there; owns the order public → template → tenants.

`pending_migrations` is the cheap question of every start-up: it reads file names instead of loading the graph.
"""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.utils import ProgrammingError

from core.tenancy import platform_scope
from tenants.provisioning.schema import TEMPLATE, create_template

_LOCK = 7_052_001  # advisory lock: one process migrates, the others wait


def migrations_on_disk() -> set[tuple[str, str]]:
    """(app label, migration name) of every migration file of the installed apps."""
    found = set()
    for config in apps.get_app_configs():
        folder = Path(config.path) / "migrations"
        for file in folder.glob("[0-9]*.py"):
            found.add((config.label, file.stem))
    return found


def pending_migrations() -> set[tuple[str, str]]:
    """What the public schema still lacks; everything when it was never migrated."""
    with platform_scope(), connection.cursor() as cursor:
        try:
            cursor.execute("SELECT app, name FROM django_migrations")
            applied = set(cursor.fetchall())
        except ProgrammingError:
            return migrations_on_disk()
    return migrations_on_disk() - applied


def migrate_everything(*, verbosity: int = 0) -> bool:
    """Migrate public, the template and every tenant schema; returns whether there was anything to do."""
    if not pending_migrations():
        return False
    with platform_scope():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            create_template()
            for schema in ("public", TEMPLATE, *_tenant_schemas()):
                call_command("migrate_schemas", schema_name=schema, interactive=False, verbosity=verbosity)
        finally:
            with platform_scope(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return True


def _tenant_schemas() -> list[str]:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.tenants_tenant')")
        if cursor.fetchone() == (None,):
            return []
        cursor.execute("SELECT schema_name FROM tenants_tenant ORDER BY schema_name")
        return [row[0] for row in cursor.fetchall()]
