"""Whether the server behind DATABASE_URL can carry Lumos; each refusal is one sentence, nothing is changed."""

from __future__ import annotations

from contextlib import closing

import psycopg

from lumos_site.supervisor.errors import StartRefused

OLDEST_POSTGRES = 16


def check_database(url: str) -> None:
    """Refuse a DATABASE_URL that cannot work, with the reason."""
    with closing(_connect(url)) as connection:
        version = connection.info.server_version // 10_000
        if version < OLDEST_POSTGRES:
            raise StartRefused(
                f"The server of DATABASE_URL is PostgreSQL {version}; Lumos needs {OLDEST_POSTGRES} or newer."
            )
        row = connection.execute(
            "SELECT current_user, rolsuper OR rolcreaterole, has_database_privilege(current_database(), 'CREATE')"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row is not None
    user, may_create_roles, may_create_schemas = row
    if not may_create_roles:
        raise StartRefused(
            "The role of DATABASE_URL may not create roles, and each tenant gets one: "
            f'run ALTER ROLE "{user}" CREATEROLE as superuser.'
        )
    if not may_create_schemas:
        raise StartRefused(
            "The role of DATABASE_URL may not create schemas in its database: "
            f'run ALTER DATABASE … OWNER TO "{user}" as superuser.'
        )


def _connect(url: str) -> psycopg.Connection[tuple[str, bool, bool]]:
    try:
        return psycopg.connect(url, connect_timeout=5)
    except psycopg.ProgrammingError as error:
        raise StartRefused("DATABASE_URL must look like postgresql://user:password@host:5432/name.") from error
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        if "authentication failed" in reason or "no password supplied" in reason:
            raise StartRefused(
                "The server of DATABASE_URL refused user and password; correct them in DATABASE_URL."
            ) from error
        if "does not exist" in reason:
            raise StartRefused(
                f"DATABASE_URL names something missing ({reason}); create it or correct the URL."
            ) from error
        raise StartRefused(
            f"No PostgreSQL answers at DATABASE_URL ({reason}); "
            "start it, correct the URL, or unset it to use the embedded one."
        ) from error
