"""Advisory locks of PostgreSQL: held for a transaction or for longer; owns no number of a lock.

For work that is done by one at a time and where there is no row to hold. A process that is killed gives its lock back
with its connection, so nobody waits for a lease to run out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from core.conf import env_seconds


def lock_seconds() -> float:
    """LUMOS_LOCK_SECONDS: how long to wait for what another session uses, before the work is put off."""
    return env_seconds("LUMOS_LOCK_SECONDS", "5")


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


def wait_turn(kind: int, name: str) -> None:
    """Wait until nobody else does what `kind` and `name` stand for, and keep others from it until the transaction ends.

    For what is counted or looked for before it is made: whoever looks before the lock sees what is about to change.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [kind, name])
