"""A tenant's schema and role, made by copying the template's catalogue; owns SQL names and grants.

The template schema is migrated like any other; copying its tables takes milliseconds where running each migration
takes more than a second. Names come from ids of ours and are checked again here before they reach SQL.
"""

from __future__ import annotations

import re

from django.db import connection, transaction

from core.tenancy import platform_scope, schema_scope
from core.tenancy.rls import GROUP
from tenants.errors import TemplateBehind
from tenants.provisioning.head import TEMPLATE, code_head, template_head

_SCHEMA = re.compile(r"t_[0-7][0-9a-hjkmnp-tv-z]{25}")

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY tablename"
_FOREIGN_KEYS = """
SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid)
FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
WHERE n.nspname = %s AND c.contype = 'f' ORDER BY c.conname
"""


def _checked(schema: str) -> str:
    if _SCHEMA.fullmatch(schema) is None:
        raise ValueError(f"{schema!r} is not a tenant schema of ours")
    return schema


@transaction.atomic
def create_schema(schema: str) -> str:
    """Role, schema, tables, keys and grants of one tenant; everything or nothing. Returns the head that it bears.

    Raises TemplateBehind while the template lacks a migration of this code, or has one more.
    """
    _checked(schema)
    tables, foreign_keys = _locked_template()
    if template_head() != code_head():
        raise TemplateBehind()
    with platform_scope(), connection.cursor() as cursor:
        _create_role(cursor, schema)
        cursor.execute(f'CREATE SCHEMA "{schema}"')
        for table in tables:
            cursor.execute(f'CREATE TABLE "{schema}"."{table}" (LIKE "{TEMPLATE}"."{table}" INCLUDING ALL)')
        # Without their ids: the copy's own sequence counts them, so that a later migration can be recorded after them.
        cursor.execute(
            f'INSERT INTO "{schema}".django_migrations (app, name, applied)'
            f' SELECT app, name, applied FROM "{TEMPLATE}".django_migrations ORDER BY id'
        )
    with schema_scope(schema, include_public=False), connection.cursor() as cursor:
        for table, name, definition in foreign_keys:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    grant_tables(schema)
    return code_head()


def _locked_template() -> tuple[list[str], list[tuple[str, str, str]]]:
    """Tables and foreign keys of the template, which no migration changes before this transaction ends."""
    with schema_scope(TEMPLATE, include_public=False), connection.cursor() as cursor:
        cursor.execute(_TABLES, [TEMPLATE])
        tables = [row[0] for row in cursor.fetchall()]
        if not tables:
            raise TemplateBehind()
        names = ", ".join(f'"{TEMPLATE}"."{table}"' for table in tables)
        cursor.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
        cursor.execute(_FOREIGN_KEYS, [TEMPLATE])
        return tables, cursor.fetchall()


def _create_role(cursor: object, schema: str) -> None:
    execute = cursor.execute  # type: ignore[attr-defined]
    execute(f'CREATE ROLE "{schema}" NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS')
    execute(f'GRANT {GROUP} TO "{schema}"')
    execute(f'GRANT "{schema}" TO CURRENT_USER WITH INHERIT FALSE, SET TRUE')


def grants(schema: str) -> str:
    """SQL that lets the tenant's role work in its schema, and only read what was migrated there."""
    _checked(schema)
    return (
        f'GRANT USAGE ON SCHEMA "{schema}" TO "{schema}";'
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{schema}" TO "{schema}";'
        f'REVOKE INSERT, UPDATE, DELETE ON "{schema}".django_migrations FROM "{schema}";'
    )


def grant_tables(schema: str) -> None:
    """Give the grants; repeated after a migration, for the tables that it added."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(grants(schema))


@transaction.atomic
def drop_schema(schema: str) -> None:
    """Remove schema and role for good; nothing happens when they are gone already."""
    _checked(schema)
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [schema])
        if cursor.fetchone():
            cursor.execute(f'REVOKE {GROUP} FROM "{schema}"')
            cursor.execute(f'DROP ROLE "{schema}"')


def schema_exists(schema: str) -> bool:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        return cursor.fetchone() is not None


def create_template() -> None:
    """The empty template schema; the migrate command fills it."""
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {TEMPLATE}")
