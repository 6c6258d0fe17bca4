"""Everything that can be known to be wrong before anything is started; each refusal is one sentence."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import socket
import time
from contextlib import closing
from pathlib import Path

import psycopg

from lumos_site.supervisor.errors import StartRefused
from lumos_site.supervisor.probes import NotReady, redis_answers

OLDEST_POSTGRES = 16
_CLEANING_UP_SECONDS = 15.0


def make_var(var: Path) -> None:
    """Make the directory of this installation's data and try to write there."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        trial = var / f".trial-{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise StartRefused(
            f"{var} cannot be written ({error.strerror}); give it to this user, "
            "or set LUMOS_VAR to a directory that is theirs."
        ) from error


def lock_var(var: Path) -> int:
    """The lock that one supervisor holds on var/ while it, or what it started, lives; keep the descriptor open."""
    descriptor = os.open(var / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _CLEANING_UP_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode().strip()
            if _is_alive(holder) or time.monotonic() > deadline:
                raise StartRefused(
                    f"Lumos already runs on {var} (process {holder}); stop it with Ctrl-C or `kill {holder}`, "
                    "or set LUMOS_VAR to another directory for a second one."
                ) from None
            time.sleep(0.1)  # it was killed, and its keeper still ends what it left
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _is_alive(pid: str) -> bool:
    return pid.isdigit() and Path(f"/proc/{pid}").exists()


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, bound before anything is started and kept through every restart of the web processes."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise StartRefused(f"{host} is no address of this machine; try --host 127.0.0.1 or --host 0.0.0.0.") from error
    listening = socket.socket(family, kind)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise StartRefused(_why_not_bound(host, port, error)) from error
    listening.listen(2048)
    return listening


def _why_not_bound(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = port % 65_535 + 1
        return f"Port {port} on {host} is in use; stop what listens there, or choose another with --port {other}."
    if error.errno == errno.EACCES:
        return f"Port {port} may not be used by this user; choose one above 1023 with --port."
    return f"{host}:{port} cannot be listened on ({error.strerror}); try --host 127.0.0.1 or --host 0.0.0.0."


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


def check_redis(url: str) -> None:
    """Refuse a REDIS_URL that cannot work, with the reason."""
    try:
        asyncio.run(asyncio.wait_for(redis_answers(url), 5))
    except (NotReady, TimeoutError) as error:
        reason = str(error) or "no answer within 5 s"
        if "WRONGPASS" in reason or "NOAUTH" in reason:
            raise StartRefused(
                "The server of REDIS_URL refused user and password; correct them in REDIS_URL."
            ) from error
        raise StartRefused(
            f"No Redis answers at REDIS_URL ({reason}); start it, correct the URL, or unset it to use the embedded one."
        ) from error
