"""Every process obeys a change: through the stream, after a lost entry, and while Redis is away or comes back empty."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as redis_library

from audit.api import relay_outbox
from core.changes import Memory, tell_change
from core.clock import utc_now
from core.conf import ROOT
from core.redis import control, key
from tenants.api import TenantStatus, resume_tenant, suspend_tenant
from tests.cast import TESTER, Player, found_acme
from tests.children import database_url
from tests.valkey import Server, own_server

# Remembers hosts for an hour, so that only the stream can have told it; writes each status that it sees, with the time.
_WATCHER = """
import sys, time, django
django.setup()
from core.tenancy import platform_scope
from tenants.middleware import remembered_hosts
hosts, seen = remembered_hosts(seconds=3600), None
with platform_scope():
    while True:
        tenant = hosts.get("acme.localhost")
        if tenant.status != seen:
            seen = tenant.status
            print("seen", seen, time.time(), flush=True)
        time.sleep(0.01)
"""


class Watcher:
    """A process of the control plane that looks at acme's host all the time."""

    def __init__(self) -> None:
        environment = os.environ | {"DATABASE_URL": database_url()}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WATCHER], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        self.seen: list[tuple[str, float]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                if line.startswith("seen "):  # else it is the log
                    _word, status, at = line.split()
                    self.seen.append((status, float(at)))

    def sees(self, status: str) -> float:
        """When it saw that status, at last."""
        for _try in range(3000):
            if self.seen and self.seen[-1][0] == status:
                return self.seen[-1][1]
            assert self._process.poll() is None, "the watcher died"
            time.sleep(0.02)
        raise AssertionError(f"saw {self.seen}, never {status}")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with own_server(tmp_path) as server:
        server.start()
        monkeypatch.setenv("REDIS_URL", server.url)
        yield server


@pytest.fixture
def acme(committed: None, server: Server) -> Player:
    return found_acme()


@pytest.fixture
def watchers(acme: Player) -> Iterator[list[Watcher]]:
    started = [Watcher() for _number in range(3)]
    try:
        for watcher in started:
            watcher.sees(TenantStatus.ACTIVE)
        yield started
    finally:
        for watcher in started:
            watcher.end()


def _suspend(player: Player) -> float:
    suspend_tenant(tenant_id=player.tenant.id, reason="x", acting=TESTER, now=utc_now())
    return time.time()


def _resume(player: Player) -> float:
    resume_tenant(tenant_id=player.tenant.id, acting=TESTER, now=utc_now())
    return time.time()


def test_every_process_obeys_a_change_that_is_told(acme: Player, watchers: list[Watcher]) -> None:
    told = _suspend(acme)
    late = [watcher.sees(TenantStatus.SUSPENDED) - told for watcher in watchers]
    told = _resume(acme)
    late += [watcher.sees(TenantStatus.ACTIVE) - told for watcher in watchers]
    print("seconds from the commit to each process:", [round(each, 3) for each in late])


def test_a_server_that_is_killed_and_comes_back_empty_hides_no_change(
    acme: Player, watchers: list[Watcher], server: Server
) -> None:
    server.kill()
    _suspend(acme)  # cannot be told: memory is not believed while nobody hears
    for watcher in watchers:
        watcher.sees(TenantStatus.SUSPENDED)
    server.start()
    _resume(acme)
    for watcher in watchers:
        watcher.sees(TenantStatus.ACTIVE)
    relay_outbox(now=utc_now())


def test_an_entry_that_was_lost_is_noticed_by_its_number(
    acme: Player, watchers: list[Watcher], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change whose telling never reached the stream, while its number was given."""
    with monkeypatch.context() as away:
        away.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        _suspend(acme)
    time.sleep(0.6)
    assert {watcher.seen[-1][0] for watcher in watchers} == {TenantStatus.ACTIVE}
    control().incr(key("events", "number"))
    for watcher in watchers:
        watcher.sees(TenantStatus.SUSPENDED)


def _memory(reads: list[str], *, owners: dict[str, str]) -> Memory[str, str]:
    def read(name: str) -> str:
        reads.append(name)
        return name

    return Memory(read, kinds=("a.changed",), owner=lambda name: owners.get(name, ""), seconds=60)


def _until(condition) -> None:
    for _try in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("never came true")


def _warm(memory: Memory[str, str], reads: list[str], *names: str) -> None:
    """Until it answers all of them from memory."""

    def remembers() -> bool:
        reads.clear()
        for name in names:
            memory.get(name)
        return reads == []

    _until(remembers)


def test_only_what_the_change_is_about_is_forgotten(redis: redis_library.Redis) -> None:
    reads: list[str] = []
    memory = _memory(reads, owners={"one": "t1", "two": "t2"})
    _warm(memory, reads, "one", "two", "nobody")
    tell_change("b.changed", "t1")
    tell_change("a.changed", "t1")

    def asked() -> bool:
        for name in ("one", "two", "nobody"):
            memory.get(name)
        return "one" in reads

    _until(asked)
    assert "two" not in reads
    assert "nobody" in reads
    _warm(memory, reads, "one", "two")
    tell_change("a.changed", "")
    _until(lambda: memory.get("two") and "two" in reads)


def test_what_was_read_before_a_change_is_not_remembered_after_it(redis: redis_library.Redis) -> None:
    """The change is told while somebody reads: the old value must not outlive it."""
    values = ["old"]
    memory: Memory[str, str]

    def read(name: str) -> str:
        value = values[-1]
        if len(values) == 1 and ready:
            values.append("new")
            memory.forget("a.changed", "")
        return value

    ready: list[bool] = []
    memory = Memory(read, kinds=("a.changed",), owner=lambda value: "", seconds=60)
    _until(lambda: _hears(memory))
    ready.append(True)
    memory.forget()
    assert memory.get("x") == "old"
    assert memory.get("x") == "new"


def _hears(memory: Memory[str, str]) -> bool:
    from core.changes import _follower

    return _follower().hears(memory)


def test_a_memory_is_bounded_and_grows_old(redis: redis_library.Redis) -> None:
    reads: list[str] = []

    def read(name: str) -> str:
        reads.append(name)
        return name

    memory = Memory(read, kinds=(), owner=lambda value: "", seconds=0.0)
    _until(lambda: _hears(memory))
    memory.get("a")
    memory.get("a")
    assert reads[-2:] == ["a", "a"]
    bounded = Memory(read, kinds=(), owner=lambda value: "", seconds=60)
    for number in range(5000):
        bounded.get(str(number))
    assert len(bounded._entries) <= 4096
