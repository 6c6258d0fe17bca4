"""Role and database inside an embedded cluster, by SQL; owns what they may do, starts no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from lumos_site.embedded.errors import NotYet
from lumos_site.embedded.names import DATABASE, OWNER, SUPERUSER

if TYPE_CHECKING:
    from lumos_site.embedded.postgres import Postgres

_ROLE = """
DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
ALTER ROLE {role} LOGIN NOSUPERUSER NOINHERIT CREATEROLE CREATEDB NOBYPASSRLS PASSWORD {password}
"""


async def log_in(server: Postgres) -> None:
    """Open and close a session as the product would; makes role and database anew when they are gone."""
    try:
        await _session(server)
    except psycopg.OperationalError as error:
        if not _is_missing(error):
            raise NotYet(str(error)) from error
        await make_database(server)
        await _session(server)


async def _session(server: Postgres) -> None:
    connection = await psycopg.AsyncConnection.connect(server.url, connect_timeout=3)
    await connection.close()


async def make_database(server: Postgres) -> None:
    """The role with its password and the database it owns; leaves what is there."""
    async with await _superuser(server, "postgres") as connection:
        role = sql.SQL(_ROLE).format(role=sql.Identifier(OWNER), password=sql.Literal(server.owner_password))
        await connection.execute(role)
        known = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
        if await known.fetchone() is None:
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
    async with await _superuser(server, DATABASE) as connection:
        await connection.execute(f"ALTER SCHEMA public OWNER TO {OWNER}")
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


async def _superuser(server: Postgres, database: str) -> psycopg.AsyncConnection[tuple[object, ...]]:
    try:
        return await psycopg.AsyncConnection.connect(
            host="127.0.0.1",
            port=server.port,
            user=SUPERUSER,
            password=server.superuser_password,
            dbname=database,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        raise NotYet(str(error)) from error


def _is_missing(error: psycopg.OperationalError) -> bool:
    """Whether a login failed because role or database are not there yet, or the role has another password."""
    text = str(error)
    return "password authentication failed" in text or "does not exist" in text
