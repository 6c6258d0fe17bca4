"""Decides, in milliseconds and without Django, whether the database is as the last complete `prepare` left it.

Three things must agree: the migrations and seeds on disk, the list of migrations that the database says it has, and
a mark in Redis, which is lost together with what was published there. When one differs, `manage.py prepare` runs.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from lumos_site.supervisor import probes

_SOURCES = (
    "requirements.txt",
    "*/migrations/*.py",
    "*/*/migrations/*.py",
    "lumos_site/seed*.py",
    "lumos_site/preparation.py",
)


def sources_fingerprint(root: Path) -> str:
    """Changes whenever a migration, a seed or the locked requirements do."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for file in sorted(root.glob(pattern)):
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


async def database_fingerprint(url: str) -> str | None:
    """Names this very database and the migrations it has had; None when it has had none."""
    import psycopg  # see Postgres.open_database

    connection = await psycopg.AsyncConnection.connect(url, connect_timeout=5)
    async with connection:
        try:
            answer = await connection.execute(
                "SELECT (SELECT oid FROM pg_database WHERE datname = current_database())::text"
                " || '-' || count(*) || '-' || max(applied) FROM public.django_migrations"
            )
        except psycopg.errors.UndefinedTable:
            return None
        row = await answer.fetchone()
    return row[0] if row else None


def _mark_key(namespace: str) -> str:
    return f"{namespace}:prepared"


async def read_mark(redis_url: str, namespace: str) -> str | None:
    mark = await probes.redis_command(redis_url, "GET", _mark_key(namespace))
    return mark.decode() if mark else None


async def write_mark(redis_url: str, namespace: str, fingerprint: str) -> None:
    await probes.redis_command(redis_url, "SET", _mark_key(namespace), fingerprint)
