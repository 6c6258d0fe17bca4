"""The lock under which metered usage is written; held to the end of the transaction, freed by any death."""

from __future__ import annotations

from django.db import connection

_LOCK = 7_052_101


def lock_usage(*, wait: bool) -> bool:
    """Become the only writer until the caller's transaction ends; without `wait`, False when there is another."""
    function = "pg_advisory_xact_lock" if wait else "pg_try_advisory_xact_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_LOCK])
        row = cursor.fetchone()
    return wait or bool(row and row[0])
