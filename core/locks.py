"""Advisory locks of PostgreSQL that outlast a transaction and end with their session; owns no number of a lock.

For work of several transactions that one process does at a time. A process that is killed gives its lock back with
its connection, so nobody waits for a lease to run out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection


@contextmanager
def alone(kind: int, name: str = "") -> Iterator[bool]:
    """Whether this process is the only one at the work that `kind` (one number per use) and `name` stand for.

    Never waits. The lock belongs to this thread's connection; what the block does may be many transactions.
    """
    arguments: tuple[int, str] = (kind, name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", arguments)
        (mine,) = cursor.fetchone()
    try:
        yield bool(mine)
    finally:
        if mine and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", arguments)
