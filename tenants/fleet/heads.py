"""Which schemas lack a migration; owns the comparison of files with records, migrates nothing.

It is the cheap question of every start-up: file names against what each schema has recorded, fifty schemas to a
query, where the migration command would load the graph once per schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.apps import apps
from django.db import connection
from psycopg import sql

from core.tenancy import platform_scope
from tenants.provisioning.head import TEMPLATE

_BATCH = 50
# Pooled schemas, which belong to no tenant yet, are part of the fleet, so the catalogue is asked and not the tenants.
_OURS = "SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_[0-7][0-9a-hjkmnp-tv-z]{25}$' ORDER BY nspname"


def migrations_on_disk() -> list[str]:
    """`app.name` of every migration file of the installed apps."""
    return sorted(
        f"{config.label}.{file.stem}"
        for config in apps.get_app_configs()
        for file in (Path(config.path) / "migrations").glob("[0-9]*.py")
    )


def tenant_schemas() -> list[str]:
    """All schemas of tenants, pooled ones too, by name."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_OURS)
        return [row[0] for row in cursor.fetchall()]


def schemas_behind(schemas: Sequence[str] | None = None) -> list[str]:
    """Those of `schemas` that lack a migration, in the order given; None stands for public, the template, the fleet."""
    known = ["public", TEMPLATE, *tenant_schemas()] if schemas is None else list(schemas)
    expected = migrations_on_disk()
    with platform_scope():
        return [
            schema
            for start in range(0, len(known), _BATCH)
            for schema in _behind(known[start : start + _BATCH], expected)
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
