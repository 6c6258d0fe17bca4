"""What stops a start before it began: one sentence that says what to do, exit code 1, and nothing started."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from redis import Redis

from core.conf import ROOT
from lumos_site.embedded.ports import pick_free_port
from lumos_site.supervisor import preflight_database
from lumos_site.supervisor.errors import StartRefused


def lumos(*arguments: str, var: Path, **environment: str) -> tuple[int, str]:
    """Exit code and what was written; DATABASE_URL and REDIS_URL only where a test gives them."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    ended = subprocess.run(
        [sys.executable, "-m", "lumos_site.supervisor", *arguments],
        env={**kept, "LUMOS_VAR": str(var), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    return ended.returncode, ended.stdout + ended.stderr


def refused(outcome: tuple[int, str], *, words: str) -> None:
    code, text = outcome
    assert code == 1, text
    assert words in text
    assert text.startswith("lumos: ")
    assert text.rstrip().count("\n") == 0, f"one sentence, not {text}"


@pytest.fixture
def port() -> str:
    return str(pick_free_port())


def test_a_port_in_use_names_the_next_one(tmp_path: Path, port: str) -> None:
    with socket.create_server(("127.0.0.1", int(port))):
        outcome = lumos("up", "--port", port, var=tmp_path)
    refused(outcome, words=f"Port {port} on 127.0.0.1 is in use; stop what listens there, or choose another")
    assert f"--port {int(port) + 1}" in outcome[1]
    assert not (tmp_path / "postgres").exists()


def test_an_address_of_another_machine_cannot_be_listened_on(tmp_path: Path, port: str) -> None:
    refused(lumos("up", "--host", "203.0.113.7", "--port", port, var=tmp_path), words="203.0.113.7")


def test_a_var_that_cannot_be_written_says_so(tmp_path: Path, port: str) -> None:
    (tmp_path / "file").touch()
    refused(lumos("up", "--port", port, var=tmp_path / "file" / "var"), words="cannot be written (Not a directory)")


def test_a_second_start_on_the_same_var_names_the_first(tmp_path: Path, port: str) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        outcome = lumos("up", "--port", port, var=tmp_path)
    refused(outcome, words=f"Lumos already runs on {tmp_path} (process {os.getpid()})")


def test_reset_does_nothing_unless_it_is_confirmed(tmp_path: Path, port: str) -> None:
    (tmp_path / "postgres").mkdir()
    refused(lumos("up", "--reset", "--port", port, var=tmp_path), words="Nothing was deleted; say yes when asked")
    assert (tmp_path / "postgres").exists()


def test_reset_never_touches_servers_of_ones_own(tmp_path: Path, port: str) -> None:
    outcome = lumos("up", "--reset", "--yes", "--port", port, var=tmp_path, REDIS_URL="redis://127.0.0.1:1/0")
    refused(outcome, words="--reset deletes the data of the embedded servers only")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://lumos@127.0.0.1:1/lumos", "No PostgreSQL answers at DATABASE_URL"),
        ("what is this", "DATABASE_URL must look like postgresql://user:password@host:5432/name."),
    ],
)
def test_a_database_url_that_leads_nowhere_is_refused(tmp_path: Path, port: str, url: str, words: str) -> None:
    refused(lumos("up", "--port", port, var=tmp_path, DATABASE_URL=url), words=words)
    assert not (tmp_path / "valkey").exists()


def test_a_redis_url_that_leads_nowhere_is_refused(tmp_path: Path, port: str) -> None:
    outcome = lumos("up", "--port", port, var=tmp_path, REDIS_URL="redis://127.0.0.1:1/0")
    refused(outcome, words="No Redis answers at REDIS_URL")


def test_a_wrong_redis_password_is_called_that(tmp_path: Path, port: str) -> None:
    parts = urlsplit(os.environ["REDIS_URL"])
    url = f"redis://:wrong@{parts.hostname}:{parts.port}/0"
    refused(lumos("up", "--port", port, var=tmp_path, REDIS_URL=url), words="REDIS_URL refused user and password")


def other_login(user: str, password: str, database: str = "") -> str:
    parts = urlsplit(os.environ["DATABASE_URL"])
    netloc = f"{user}:{password}@{parts.hostname}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, f"/{database}" if database else parts.path, "", ""))


@pytest.fixture
def weak_role() -> Iterator[str]:
    """A login that may do nothing special."""
    name = f"weak_{os.getpid()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'weak'")
        yield name
        connection.execute(f"DROP ROLE {name}")


def test_a_wrong_database_password_is_called_that(tmp_path: Path, port: str, weak_role: str) -> None:
    outcome = lumos("up", "--port", port, var=tmp_path, DATABASE_URL=other_login(weak_role, "wrong"))
    refused(outcome, words="DATABASE_URL refused user and password")


def test_a_database_that_is_not_there_is_named(tmp_path: Path, port: str, weak_role: str) -> None:
    outcome = lumos("up", "--port", port, var=tmp_path, DATABASE_URL=other_login(weak_role, "weak", "nowhere"))
    refused(outcome, words='database "nowhere" does not exist')


def test_a_role_that_may_not_create_roles_is_told_the_statement(tmp_path: Path, port: str, weak_role: str) -> None:
    outcome = lumos("up", "--port", port, var=tmp_path, DATABASE_URL=other_login(weak_role, "weak"))
    refused(outcome, words=f'run ALTER ROLE "{weak_role}" CREATEROLE as superuser.')


def test_a_role_that_may_not_create_schemas_is_told_the_statement(tmp_path: Path, port: str, weak_role: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {weak_role} CREATEROLE")
    outcome = lumos("up", "--port", port, var=tmp_path, DATABASE_URL=other_login(weak_role, "weak"))
    refused(outcome, words=f'OWNER TO "{weak_role}" as superuser.')


def test_a_server_that_is_too_old_is_named_with_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight_database, "OLDEST_POSTGRES", 99)
    with pytest.raises(StartRefused, match=r"is PostgreSQL 18; Lumos needs 99 or newer"):
        preflight_database.check_database(os.environ["DATABASE_URL"])


def test_a_good_database_is_not_refused() -> None:
    preflight_database.check_database(os.environ["DATABASE_URL"])


@pytest.mark.parametrize("role", ["gateway", "control", "worker", "beat"])
def test_a_single_role_needs_the_address_of_redis(tmp_path: Path, port: str, role: str) -> None:
    outcome = lumos("serve", "--role", role, "--port", port, var=tmp_path)
    refused(outcome, words=f"The {role} role needs REDIS_URL")


@pytest.mark.parametrize("role", ["control", "worker", "beat"])
def test_a_single_role_but_the_gateway_needs_a_database(tmp_path: Path, port: str, role: str) -> None:
    outcome = lumos("serve", "--role", role, "--port", port, var=tmp_path, REDIS_URL=os.environ["REDIS_URL"])
    refused(outcome, words=f"The {role} role needs DATABASE_URL")


def test_a_database_without_migrations_is_not_served(tmp_path: Path, port: str) -> None:
    name = f"empty_{os.getpid()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        parts = urlsplit(os.environ["DATABASE_URL"])
        url = other_login(parts.username or "", parts.password or "", name)
        code, text = lumos(
            *("serve", "--role", "control", "--port", port),
            var=tmp_path,
            DATABASE_URL=url,
            REDIS_URL=os.environ["REDIS_URL"],
        )
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert code == 1
    assert "lumos     | The database lacks migrations; run ./lumos prepare" in text
    assert "nothing was left running" in text


def test_a_redis_that_enforces_no_limit_is_not_served(tmp_path: Path, port: str, redis: Redis) -> None:
    """Commands pass there and scripts do not, which is where the limits are."""
    user = f"unlimited_{os.getpid()}"
    redis.acl_setuser(
        user, enabled=True, passwords=["+secret"], keys=["*"], channels=["*"], categories=["+@all", "-@scripting"]
    )
    parts = urlsplit(os.environ["REDIS_URL"])
    url = f"redis://{user}:secret@{parts.hostname}:{parts.port}/0"
    try:
        code, text = lumos("serve", "--role", "gateway", "--port", port, var=tmp_path, REDIS_URL=url)
    finally:
        redis.acl_deluser(user)
    assert code == 1
    assert "check     | The limiter could not be tested" in text
    assert "lumos     | Limits would not be enforced, so nothing is served" in text
    assert "Traceback" not in text
