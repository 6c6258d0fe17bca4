"""What is left of a tenant in shared places, found by its id alone, and taken away; knows no room and keeps nothing.

Tables, keys in Redis and files are looked up, not listed: a table that somebody adds next year is emptied too, unless
its room has said by `core.lifecycle.keeps` which duty wants its rows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg import sql

from audit.api import count_events, forget_events
from core.lifecycle import kept_tables
from core.locks import lock_seconds
from core.redis import control, namespace
from core.tenancy import TenantRef, platform_scope
from tenants.backups.making import folder_of
from tenants.models import SchemaState, TenantDataKey
from tenants.provisioning.schema import drop_schema, schema_exists

OWN_RECORD = "tenants_tenantjob"  # the deletion itself is written there, step by step
_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND a.attname = 'tenant_id' AND NOT a.attisdropped ORDER BY c.relname
"""
_ROLE = "SELECT to_regrole(%s) IS NOT NULL"
_BATCH = 1000


def drop_content(tenant_id: str) -> None:
    """Schema and role. Raises OperationalError when somebody works in the schema for longer than a few seconds."""
    schema = TenantRef(tenant_id).schema_name
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{lock_seconds() * 1000:.0f}ms"])
    drop_schema(schema)
    SchemaState.objects.filter(pk=schema).delete()


def delete_files(tenant_id: str) -> int:
    """The folder of its backups; returns how many files were in it."""
    folder = folder_of(tenant_id)
    count = len(_files(folder))
    shutil.rmtree(folder, ignore_errors=True)
    return count


def delete_rows(tenant_id: str) -> dict[str, int]:
    """Its rows of every shared table that no duty keeps; counts by table."""
    deleted = {}
    with platform_scope(), connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(_statement(_DELETE[table == OWN_RECORD], table), [tenant_id])
            deleted[table] = cursor.rowcount
    deleted["audit_outboxevent"] = forget_events(tenant_id)
    return {table: count for table, count in deleted.items() if count}


_DELETE = {
    False: "DELETE FROM public.{table} WHERE tenant_id = %s",
    True: "DELETE FROM public.{table} WHERE tenant_id = %s AND kind <> 'DELETE'",
}
_COUNT = {own: text.replace("DELETE FROM", "SELECT count(*) FROM", 1) for own, text in _DELETE.items()}


def _statement(text: str, table: str) -> str:
    return sql.SQL(text).format(table=sql.Identifier(table)).as_string(connection.connection)


def _tables() -> list[str]:
    """Shared tables with a tenant in them that are to be emptied."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return [table for (table,) in cursor.fetchall() if table not in kept_tables()]


def forget_in_redis(tenant_id: str) -> int:
    """Every key that has the tenant's id in its name: counters, caches, groups, its queue; returns how many."""
    names = list(_keys(tenant_id))
    for start in range(0, len(names), _BATCH):
        control().unlink(*names[start : start + _BATCH])
    return len(names)


def _keys(tenant_id: str) -> Iterator[bytes]:
    found: Iterator[bytes] = control().scan_iter(match=f"{namespace()}:*{tenant_id}*", count=_BATCH)
    return found


def remains_of(tenant_id: str) -> list[str]:
    """What a deletion has left over, each thing by its kind and name; empty when nothing is."""
    schema = TenantRef(tenant_id).schema_name
    left = [f"key {name.decode()}" for name in _keys(tenant_id)]
    left += [f"file {path}" for path in _files(folder_of(tenant_id))]
    left += [f"rows of {table}" for table, count in _row_counts(tenant_id) if count]
    left += ["events that name it"] if count_events(tenant_id) else []
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_ROLE, [schema])
        (has_role,) = cursor.fetchone()
    facts = {"schema": schema_exists(schema), "role": has_role, "data key": _has_data_key(tenant_id)}
    return left + [name for name, there in facts.items() if there]


def _has_data_key(tenant_id: str) -> bool:
    return TenantDataKey.objects.filter(pk=tenant_id).exists()


def _row_counts(tenant_id: str) -> list[tuple[str, int]]:
    counts: list[tuple[str, int]] = []
    with platform_scope(), connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(_statement(_COUNT[table == OWN_RECORD], table), [tenant_id])
            row: Any = cursor.fetchone()
            counts.append((table, row[0]))
    return counts


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.exists() else []
