"""Tables partitioned by month; owns the partitions' names and bounds, makes them ahead and on demand.

There is no default partition on purpose: rows in it would keep their month's own partition from being attached.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction
from psycopg import sql

_MONTH = re.compile(r"_y(\d{4})m(\d{2})$")


def month_of(instant: datetime) -> datetime:
    """The first instant of the month, in UTC."""
    return datetime(instant.year, instant.month, 1, tzinfo=UTC)


def month_after(month: datetime) -> datetime:
    return datetime(month.year + month.month // 12, month.month % 12 + 1, 1, tzinfo=UTC)


def months_from(month: datetime, count: int) -> Iterator[datetime]:
    """`count` months, beginning with this one."""
    for _ in range(count):
        yield month
        month = month_after(month)


@dataclass(frozen=True, slots=True)
class MonthlyTable:
    """A partitioned table. `lock` is the advisory lock under which its partitions are made, by one process at a time.

    `guard` is SQL for each new partition, `{name}` in it: statement triggers do not follow from the parent.
    """

    parent: str
    lock: int
    guard: str = ""

    def partition(self, month: datetime) -> str:
        return f"{self.parent}_y{month.year:04}m{month.month:02}"

    def ensure(self, months: Iterable[datetime]) -> list[str]:
        """Make the partitions of these months where they are missing; returns the names of those made."""
        missing = [month for month in sorted(set(months)) if not self.exists(month)]
        if not missing:
            return []
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [self.lock])
            return [self._make(month) for month in missing if not self.exists(month)]

    def ensure_ahead(self, now: datetime, months: int) -> list[str]:
        """The current month's partition and those of the `months` that follow."""
        return self.ensure(months_from(month_of(now), months + 1))

    def exists(self, month: datetime) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{self.partition(month)}"])
            row = cursor.fetchone()
            return bool(row and row[0])

    def months(self) -> list[datetime]:
        """The months that have a partition, oldest first."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = %s::regclass",
                [f"public.{self.parent}"],
            )
            found = [_MONTH.search(name) for (name,) in cursor.fetchall()]
        return sorted(datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC) for match in found if match)

    def drop(self, month: datetime) -> None:
        """Remove the month with all its rows, for good."""
        with connection.cursor() as cursor:
            statement = sql.SQL("DROP TABLE public.{}").format(sql.Identifier(self.partition(month)))
            cursor.execute(statement.as_string(None))

    def _make(self, month: datetime) -> str:
        """Made apart and then attached, which lets the parent be read and written meanwhile."""
        name = self.partition(month)
        made = sql.SQL(
            "CREATE TABLE public.{name} (LIKE public.{parent} INCLUDING ALL);"
            " ALTER TABLE public.{parent} ATTACH PARTITION public.{name} FOR VALUES FROM ({start}) TO ({stop});"
        ).format(
            name=sql.Identifier(name),
            parent=sql.Identifier(self.parent),
            start=sql.Literal(month.isoformat()),
            stop=sql.Literal(month_after(month).isoformat()),
        )
        with connection.cursor() as cursor:
            cursor.execute(made.as_string(None) + self.guard.format(name=name))
        return name
