"""What a backup holds, and how it is proven: counts and checksums of tables; reads, never writes.

Everything is read under one snapshot, so a tenant that works on meanwhile does not make the parts disagree.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from psycopg import Connection, sql
from psycopg.rows import dict_row

# Which shared tables a tenant may read is decided by grants; whose rows, by row level security.
_SHARED = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relrowsecurity
  AND has_any_column_privilege(current_user, c.oid, 'SELECT') ORDER BY c.relname
"""
_READABLE = """
SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
  AND has_column_privilege(current_user, attrelid, attnum, 'SELECT') ORDER BY attnum
"""
_OWN = "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename <> 'django_migrations' ORDER BY tablename"
# The sum does not depend on the order of rows, so nothing is sorted.
_CHECKSUM = """
SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0)::text FROM {table} t
"""


@dataclass(frozen=True, slots=True)
class TableProof:
    """How many rows a table has, and a checksum over all of them."""

    rows: int
    checksum: str


def own_tables(connection: Connection[Any], schema: str) -> dict[str, TableProof]:
    """Proof of each of the tenant's own tables, in the schema called `schema`."""
    proofs = {}
    with connection.cursor() as cursor:
        cursor.execute(_OWN, [schema])
        for (table,) in cursor.fetchall():
            cursor.execute(sql.SQL(_CHECKSUM).format(table=sql.Identifier(schema, table)))
            rows, checksum = cursor.fetchone() or (0, "0")
            proofs[table] = TableProof(rows, checksum)
    return proofs


def shared_tables(connection: Connection[Any]) -> list[str]:
    """The shared tables that the connection's present role, a tenant's, may read."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARED)
        return [row[0] for row in cursor.fetchall()]


def write_shared_rows(connection: Connection[Any], table: str, target: BinaryIO) -> TableProof:
    """One JSON object per row that the present role sees, into `target`; the checksum is the SHA-256 of it all."""
    rows, digest = 0, hashlib.sha256()
    for line in _lines(connection, table):
        target.write(line)
        digest.update(line)
        rows += 1
    return TableProof(rows, digest.hexdigest())


def _lines(connection: Connection[Any], table: str) -> Iterator[bytes]:
    with connection.cursor() as cursor:
        cursor.execute(_READABLE, [f"public.{table}"])
        columns = [row[0] for row in cursor.fetchall()]
    question = sql.SQL("SELECT {columns} FROM {table}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)), table=sql.Identifier("public", table)
    )
    with connection.cursor(name="shared_rows", row_factory=dict_row) as cursor:
        cursor.execute(question)
        for row in cursor:
            yield json.dumps(row, default=str, sort_keys=True).encode() + b"\n"
