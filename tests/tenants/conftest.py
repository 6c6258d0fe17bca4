"""What the tests of tenants' lives share: looking at schemas and roles."""

from __future__ import annotations

from django.db import connection


def schemas() -> set[str]:
    """Tenants' schemas of this database, used and ready ones."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ '^t_[0-9a-z]{26}$'")
        return {row[0] for row in cursor.fetchall()}


def has_role(schema: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regrole(%s) IS NOT NULL", [schema])
        return bool(cursor.fetchone()[0])
