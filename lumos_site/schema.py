"""Bringing the database to head, and knowing whether it is there; owns the order public → template → tenants.

`schemas_behind` is the cheap question of every start-up: it compares file names with what each schema has recorded,
fifty schemas to a query, instead of loading the migration graph once per schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from core.tenancy import platform_scope
from tenants.api import TEMPLATE, create_template

_LOCK = 7_052_001  # advisory lock: one process migrates, the others wait
_BATCH = 50


def migrations_on_disk() -> list[str]:
    """`app.name` of every migration file of the installed apps."""
    return sorted(
        f"{config.label}.{file.stem}"
        for config in apps.get_app_configs()
        for file in (Path(config.path) / "migrations").glob("[0-9]*.py")
    )


def schemas_behind() -> list[str]:
    """The schemas that lack a migration, in the order to migrate them; empty when all are at head."""
    with platform_scope():
        known = ["public", TEMPLATE, *_tenant_schemas()]
        return [
            schema
            for start in range(0, len(known), _BATCH)
            for schema in _behind(known[start : start + _BATCH], migrations_on_disk())
        ]


def _behind(schemas: list[str], expected: list[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schemaname FROM pg_tables WHERE tablename = 'django_migrations' AND schemaname = ANY(%s)", [schemas]
        )
        recorded = [row[0] for row in cursor.fetchall()]
        if not recorded:
            return schemas
        question = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {name}, count(*) FROM {table} WHERE app || '.' || name = ANY({expected})").format(
                name=sql.Literal(schema),
                table=sql.Identifier(schema, "django_migrations"),
                expected=sql.Literal(expected),
            )
            for schema in recorded
        )
        cursor.execute(question.as_string(cursor.connection))
        at_head = {schema for schema, count in cursor.fetchall() if count >= len(expected)}
    return [schema for schema in schemas if schema not in at_head]


def _tenant_schemas() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.tenants_tenant')")
        if cursor.fetchone() == (None,):
            return []
        cursor.execute("SELECT schema_name FROM tenants_tenant ORDER BY schema_name")
        return [row[0] for row in cursor.fetchall()]


def migrate_everything(*, verbosity: int = 0) -> list[str]:
    """Migrate what lags behind, public first; returns the schemas that were migrated.

    Raises ImproperlyConfigured under the settings of a role that leaves apps, and so their tables, out.
    """
    if [*settings.SHARED_APPS, *settings.TENANT_APPS] != settings.INSTALLED_APPS:
        raise ImproperlyConfigured("Migrate with lumos_site.settings.control: other roles leave apps out")
    if not schemas_behind():
        return []
    with platform_scope(), _only_one():
        create_template()
        behind = schemas_behind()
        for schema in behind:
            call_command("migrate_schemas", schema_name=schema, interactive=False, verbosity=verbosity)
    return behind


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the advisory lock on a connection of its own: the migration command closes the usual one."""
    keeper = connections.create_connection("default")
    try:
        with keeper.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
            yield
    finally:
        keeper.close()


def migrate_template_for_tests() -> None:
    """The template alone: a test database has its public schema already, and no tenants."""
    create_template()
    call_command("migrate_schemas", schema_name=TEMPLATE, interactive=False, verbosity=0)
