"""The embedded servers for real: made, started warm, killed, and kept from each other's data."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis as redis_library

from core.conf import ROOT
from lumos_site.embedded import identity
from lumos_site.embedded.binaries import postgres_tree
from lumos_site.embedded.ports import is_free, pick_free_port, remembered_port
from tests.lumos_site.test_supervisor import is_alive

SCRIPT = Path(__file__).with_name("server_script.py")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")


class Servers:
    """Running servers; `facts` is what the script said when both were up."""

    def __init__(self, var: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(var)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
        self.lines: list[str] = []
        self.facts: dict[str, Any] = self._until_up()

    def _until_up(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("UP "):
                facts: dict[str, Any] = json.loads(line[3:])
                return facts
        raise AssertionError("".join(self.lines))

    def ask(self, question: str) -> Any:
        with psycopg.connect(self.facts["postgres"], connect_timeout=3, autocommit=True) as connection:
            cursor = connection.execute(question)
            return cursor.fetchone() if cursor.description else None

    def redis(self) -> redis_library.Redis:
        return redis_library.Redis.from_url(self.facts["valkey"])

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        self.lines += self.process.communicate(timeout=30)[0].splitlines()
        return self.process.returncode

    def end(self) -> None:
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cluster for the whole module: making one takes a second or more."""
    place = tmp_path_factory.mktemp("var")
    for folder in (place, *list(place.parents)[:3]):
        if folder.name.startswith(("pytest", "var", "popen")):
            folder.chmod(0o755)
    Servers(place).end()
    return place


@pytest.fixture
def servers(var: Path) -> Iterator[Servers]:
    running = Servers(var)
    yield running
    running.end()


def eventually(fact: Any, seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        with suppress(psycopg.OperationalError, redis_library.RedisError, OSError):
            if (answer := fact()) is not None:
                return answer
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_products_role_owns_its_database_and_is_no_superuser(servers: Servers) -> None:
    role = servers.ask(
        "SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls FROM pg_roles"
        " WHERE rolname = current_user"
    )
    assert role == ("lumos", False, False, True, True, False)
    owner = servers.ask("SELECT datdba::regrole::text FROM pg_database WHERE datname = current_database()")
    assert owner == ("lumos",)


def test_the_role_can_make_tables_schemas_and_tenant_roles_and_become_them(servers: Servers) -> None:
    with psycopg.connect(servers.facts["postgres"]) as connection:
        connection.execute("CREATE TABLE public.trial (a int)")
        connection.execute("CREATE SCHEMA t_trial")
        connection.execute("CREATE ROLE t_trial NOLOGIN")
        connection.execute("GRANT t_trial TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
        connection.execute("SET ROLE t_trial")
        connection.rollback()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("max_locks_per_transaction", "256"),
        ("listen_addresses", "127.0.0.1"),
        ("password_encryption", "scram-sha-256"),
        ("TimeZone", "UTC"),
    ],
)
def test_the_cluster_is_durable_and_local(servers: Servers, setting: str, value: str) -> None:
    assert servers.ask(f"SHOW {setting}") == (value,)


def test_nobody_logs_in_without_the_password(servers: Servers) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(servers.facts["postgres"].replace("lumos:", "lumos:x"), connect_timeout=3)
    with pytest.raises(redis_library.AuthenticationError):
        redis_library.Redis(port=servers.redis().connection_pool.connection_kwargs["port"]).ping()


def test_valkey_appends_every_second(servers: Servers) -> None:
    assert servers.redis().config_get("appendonly", "appendfsync") == {"appendonly": "yes", "appendfsync": "everysec"}


def test_data_and_passwords_are_private(servers: Servers, var: Path) -> None:
    for path in (var / "postgres/data", var / "valkey", var / "secrets.json", var / "valkey/valkey.conf"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert not list((var / "postgres").glob("password*"))


def test_a_warm_start_keeps_data_address_and_password(var: Path) -> None:
    first = Servers(var)
    first.ask("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
    first.redis().set("kept", "42")
    assert first.stop() == 0
    second = Servers(var)
    try:
        assert second.ask("SELECT answer FROM kept") == (42,)
        assert second.redis().get("kept") == b"42"
        for server in ("postgres", "valkey"):
            assert second.facts[server] == first.facts[server]
    finally:
        second.end()


@pytest.mark.faults
def test_killed_servers_come_back_with_every_committed_row(servers: Servers) -> None:
    servers.ask("CREATE TABLE IF NOT EXISTS ledger (line int)")
    servers.ask("INSERT INTO ledger SELECT generate_series(1, 1000)")
    servers.redis().set("ledger", "1000")
    time.sleep(1.2)  # the append-only file is flushed every second
    for pid in servers.facts["pids"].values():
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: servers.ask("SELECT count(*) >= 1000 FROM ledger")) == (True,)
    assert eventually(lambda: servers.redis().get("ledger")) == b"1000"


@pytest.mark.faults
def test_servers_of_a_killed_supervisor_end_and_the_next_start_is_clean(var: Path) -> None:
    first = Servers(var)
    first.process.kill()
    first.process.communicate()
    eventually(lambda: True if not any(is_alive(pid) for pid in first.facts["pids"].values()) else None)
    assert not (var / "postgres/data/postmaster.pid").exists()
    Servers(var).end()


def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "postgres/data.new/base").mkdir(parents=True)
    servers = Servers(tmp_path)
    assert servers.ask("SELECT 1") == (1,)
    servers.end()


def test_a_cluster_of_another_version_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "postgres/data").mkdir(parents=True)
    (tmp_path / "postgres/data/PG_VERSION").write_text("15\n")
    with pytest.raises(AssertionError, match=r"REFUSED .* was made by PostgreSQL 15 and this is 18"):
        Servers(tmp_path)


@as_root
def test_root_behind_a_closed_directory_uses_a_user_namespace(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    if not identity._user_namespace():
        pytest.skip("this kernel or container forbids user namespaces")
    servers = Servers(closed)
    assert servers.facts["wrapper"]
    assert servers.ask("SELECT 1") == (1,)
    servers.end()
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_without_user_namespaces_hands_the_data_over_as_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_unshare = tmp_path / "bin"
    without_unshare.mkdir()
    (without_unshare / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (without_unshare / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{without_unshare}:{os.environ['PATH']}")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for _ in ("cold", "warm"):
        servers = Servers(closed)
        assert servers.facts["by_cwd"]
        assert servers.ask("SELECT 1") == (1,)
        servers.end()
    assert closed.stat().st_mode & 0o777 == 0o700


@as_root
def test_an_account_reaches_a_place_only_through_directories_it_may_enter(tmp_path: Path) -> None:
    assert identity._reaches((65534, 65534), Path("/tmp"))
    (tmp_path / "a").mkdir(mode=0o711)
    tmp_path.chmod(0o700)
    assert not identity._reaches((65534, 65534), tmp_path / "a")


def test_the_install_tree_has_what_is_needed() -> None:
    assert all((postgres_tree() / "bin" / name).exists() for name in ("initdb", "postgres"))


def test_a_port_is_remembered_until_somebody_takes_it(tmp_path: Path) -> None:
    import socket

    file = tmp_path / "ports.json"
    port = remembered_port(file, "postgres")
    assert remembered_port(file, "postgres") == port
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        other = remembered_port(file, "postgres")
    assert other != port
    assert json.loads(file.read_text()) == {"postgres": other}
    assert 20_000 <= pick_free_port() < 32_000
