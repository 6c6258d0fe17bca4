"""PostgreSQL's own tools, pg_dump and pg_restore; owns how they are found, called and understood when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from django.conf import settings
from django.db import connection

from tenants.errors import BackupFailed


def _tool(name: str) -> str:
    folder: str = settings.POSTGRES_BIN
    found = str(Path(folder) / name) if folder else shutil.which(name)
    if found is None or not os.access(found, os.X_OK):
        raise BackupFailed(f"{name} was not found; install PostgreSQL's client programs or set LUMOS_POSTGRES_BIN")
    return found


def _environment() -> dict[str, str]:
    """Where the database is. The password goes through the environment, never through the arguments."""
    place = connection.settings_dict
    names = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
    given = {variable: str(place[name]) for name, variable in names.items() if place.get(name)}
    ssl = {
        f"PG{name.upper()}": str(place["OPTIONS"][name])
        for name in ("sslmode", "sslrootcert")
        if name in place["OPTIONS"]
    }
    return {**os.environ, **given, **ssl}


def dump_schema(schema: str, *, snapshot: str, target: BinaryIO) -> None:
    """`pg_dump -Fc` of one schema as of that snapshot; raises BackupFailed with the tool's last words."""
    command = [_tool("pg_dump"), "--format=custom", f"--schema={schema}", f"--snapshot={snapshot}"]
    done = subprocess.run(  # noqa: S603 - the schema's name has the shape of our own ids
        [*command, "--no-owner", "--no-acl", "--lock-wait-timeout=10000"],
        stdout=target,
        stderr=subprocess.PIPE,
        env=_environment(),
        check=False,
    )
    if done.returncode:
        raise BackupFailed(f"pg_dump: {_last_words(done.stderr)}")


def script_of(dump: IO[bytes]) -> Iterator[bytes]:
    """The dump as the lines of an SQL script; raises BackupFailed when it cannot be read to its end."""
    command = [_tool("pg_restore"), "--no-owner", "--no-acl", "--file=-"]
    with subprocess.Popen(  # noqa: S603 - no part of it comes from outside
        command, stdin=dump, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        yield from process.stdout
        said = process.stderr.read()
    if process.returncode:
        raise BackupFailed(f"pg_restore: {_last_words(said)}")


def _last_words(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "ended without a word"
