"""Envelopes in shared tables, found by their look: which master key each needs, and wrapping them anew.

A room that seals something need not be known here. A rotation only touches the wrapped data key of an envelope; what
the envelope belongs to is bound inside, where nobody needs to look for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connection, transaction
from psycopg import sql

from core.crypto import WRAPPED, rewrapped, versions_in
from core.faults import fault_point
from core.tenancy import platform_scope

_SHORTEST = 150  # of an envelope
# Partitioned tables (usage, audit) and those whose rows nobody may change grow without end and hold nothing sealed.
_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
  AND has_table_privilege(c.oid, 'UPDATE')
  AND a.attnum > 0 AND NOT a.attisdropped
  AND (a.atttypid IN ('text'::regtype, 'jsonb'::regtype, 'json'::regtype)
    OR (a.atttypid = 'varchar'::regtype AND (a.atttypmod < 0 OR a.atttypmod > %s)))
ORDER BY c.relname, a.attname
"""
_SOME = "SELECT ctid::text, {column}::text FROM public.{table} WHERE ctid > {after}::tid AND {column}::text ~ {look}"
_BATCH = " ORDER BY ctid LIMIT {limit} FOR UPDATE"
_UPDATE = "UPDATE public.{table} SET {column} = %s::{type} WHERE ctid = %s::tid"
_START = "(0,0)"
Row = tuple[str, str]
Column = tuple[str, str, str]


def rewrap_envelopes(current: int, batch: int) -> Iterator[int]:
    """Wrap every envelope with the current version, batch by batch; yields how many each changed. Raises Sealed."""
    for column in _columns():
        after = _START
        while rows := _rewrap(column, current, after, batch):
            count, after = rows
            yield count


def envelope_uses(*, oldest: bool = True) -> dict[int, int]:
    """How many envelopes there are under each version. The oldest form is version 1's, and cannot be wrapped anew."""
    uses: dict[int, int] = {}
    for table, column, _kind in _columns():
        for _place, text in _read(table, column, look=r"v2\.[0-9]+" + WRAPPED):
            for version in versions_in(text):
                uses[version] = uses.get(version, 0) + 1
        old = len(_read(table, column, look="^v1" + WRAPPED)) if oldest else 0
        if old:
            uses[1] = uses.get(1, 0) + old
    return uses


def oldest_envelopes() -> dict[str, int]:
    """Where values of the oldest form stand, as `table.column`, and how many."""
    found = {f"{table}.{column}": len(_read(table, column, look="^v1" + WRAPPED)) for table, column, _ in _columns()}
    return {place: count for place, count in found.items() if count}


def _columns() -> list[Column]:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [_SHORTEST])
        return [(table, column, kind) for table, column, kind in cursor.fetchall()]


@transaction.atomic
def _rewrap(column: Column, current: int, after: str, batch: int) -> tuple[int, str] | None:
    """How many of the next rows were changed, and where they end; None when there are no more."""
    table, name, kind = column
    others = rf"v2\.(?!{current}\.)[0-9]+" + WRAPPED
    rows = _read(table, name, look=others, after=after, limit=batch)
    changed = [(place, made) for place, text in rows if (made := rewrapped(text, current)) != text]
    text = sql.SQL(_UPDATE).format(**_names(table, name), type=sql.SQL(kind))
    with platform_scope(), connection.cursor() as cursor:
        for place, made in changed:
            cursor.execute(text.as_string(None), [made, place])
    fault_point("master_keys.rotate.envelopes")
    return (len(changed), rows[-1][0]) if rows else None


def _read(table: str, column: str, *, look: str, after: str = _START, limit: int | None = None) -> list[Row]:
    text = sql.SQL(_SOME + (_BATCH if limit else ""))
    values: dict[str, Any] = {"after": sql.Literal(after), "look": sql.Literal(look), "limit": sql.Literal(limit)}
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(text.format(**_names(table, column), **values).as_string(None))
        return list(cursor.fetchall())


def _names(table: str, column: str) -> dict[str, Any]:
    return {"table": sql.Identifier(table), "column": sql.Identifier(column)}
