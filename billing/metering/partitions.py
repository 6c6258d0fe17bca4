"""Monthly partitions of the usage events; owns their names and bounds, makes them ahead and on demand.

There is no default partition on purpose: rows in it would keep their month's own partition from being attached.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import connection, transaction
from psycopg import sql

PARENT = "billing_usageevent"
_LOCK = 7_052_102  # advisory lock: one process makes partitions, the others wait and then find them


def month_of(instant: datetime) -> datetime:
    """The first instant of the month, in UTC."""
    return datetime(instant.year, instant.month, 1, tzinfo=UTC)


def month_after(month: datetime) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def partition_name(month: datetime) -> str:
    return f"{PARENT}_y{month.year:04}m{month.month:02}"


def ensure_partitions(months: Iterable[datetime]) -> list[str]:
    """Make the partitions of these months where they are missing; returns the names of those made."""
    missing = [month for month in sorted(set(months)) if not _exists(partition_name(month))]
    if not missing:
        return []
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        return [_make(month) for month in missing if not _exists(partition_name(month))]


def ensure_partitions_ahead(now: datetime, months: int = 3) -> list[str]:
    """The current month's partition and those of the `months` that follow."""
    wanted = [month_of(now)]
    for _ in range(months):
        wanted.append(month_after(wanted[-1]))
    return ensure_partitions(wanted)


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{name}"])
        row = cursor.fetchone()
        return bool(row and row[0])


def _make(month: datetime) -> str:
    """Made apart and then attached, which lets the parent be read and written meanwhile."""
    name = partition_name(month)
    made = sql.SQL(
        "CREATE TABLE public.{name} (LIKE public.{parent} INCLUDING ALL);"
        " ALTER TABLE public.{parent} ATTACH PARTITION public.{name} FOR VALUES FROM ({start}) TO ({stop})"
    ).format(
        name=sql.Identifier(name),
        parent=sql.Identifier(PARENT),
        start=sql.Literal(month.isoformat()),
        stop=sql.Literal(month_after(month).isoformat()),
    )
    with connection.cursor() as cursor:
        cursor.execute(made.as_string(None))
    return name
