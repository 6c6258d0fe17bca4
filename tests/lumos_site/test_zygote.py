"""The zygote: what its forks share and what not, whose children they are, and what happens when one is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from core.processes import started_at
from core.redis import key
from lumos_site.roles.heartbeat import Heartbeat
from lumos_site.supervisor import probes
from tests.lumos_site.test_supervisor import Little, is_alive


def births(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted(directory.glob("birth-*"))]


def zygote_of(run: Little) -> int:
    """It notes nothing itself; it is the child of the supervisor that came from its module."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    found = [int(pid) for pid in children if b"little_role" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    forked = {pid for _, _, pid in run.notes()}
    (zygote,) = [pid for pid in found if pid not in forked]
    return zygote


def two_forks(little: Callable[..., Little]) -> Little:
    run = little("zygote", "one:zygote+forked", "two:zygote+forked")
    run.wait_for(lambda: len(run.said("ready")) == 2, seconds=60)
    return run


def test_a_fork_is_a_child_of_the_supervisor_in_a_session_of_its_own(little: Callable[..., Little], tmp_path) -> None:
    run = two_forks(little)
    for name, birth in zip(("one", "two"), births(tmp_path), strict=True):
        assert birth["parent"] == run.process.pid
        assert birth["session"] == run.pid_of(name)
        assert (birth["role"], birth["called"]) == ("little", f"lumos-{name}")
    code, output = run.end()
    assert code == 0
    assert {name for name, what, _ in run.notes() if what == "stops"} == {"one", "two"}
    for name in ("one", "two"):
        assert any(f" {name} " in line and line.endswith(f"| hello from {name}") for line in output.splitlines())


def test_forks_share_no_connection_no_thread_and_no_chance(little: Callable[..., Little], tmp_path: Path) -> None:
    two_forks(little)
    one, two = births(tmp_path)
    for birth in (one, two):
        assert birth["threads"] == 1
        assert birth["sockets"] == []
        assert birth["pipes"] == sorted(["1", "2", birth["notes"]])
    assert not set(one["chance"]) & set(two["chance"])


def test_a_killed_zygote_takes_no_role_along_and_comes_back(little: Callable[..., Little]) -> None:
    run = two_forks(little)
    first, before = zygote_of(run), run.pid_of("one")
    os.kill(first, signal.SIGKILL)
    run.wait_for(lambda: not is_alive(first))
    assert is_alive(before)
    os.kill(before, signal.SIGKILL)  # while there is no zygote
    run.wait_for_starts("one", 2)
    assert is_alive(run.pid_of("two"))
    assert run.said("starts").count("two") == 1
    code, output = run.end()
    assert code == 0
    assert "zygote ended (killed by SIGKILL); starting it again in 0.2 s" in output
    assert "zygote is back after" in output


def test_nothing_outlives_a_supervisor_that_is_killed_with_its_forks(little: Callable[..., Little]) -> None:
    run = two_forks(little)
    pids = [run.pid_of("one"), run.pid_of("two"), zygote_of(run)]
    run.process.kill()
    run.wait_for(lambda: not any(is_alive(pid) for pid in pids))


def test_nothing_outlives_a_supervisor_that_is_killed_while_there_is_no_zygote(little: Callable[..., Little]) -> None:
    run = two_forks(little)
    pids = [run.pid_of("one"), run.pid_of("two"), zygote_of(run)]
    os.kill(pids[-1], signal.SIGKILL)
    run.process.kill()
    run.wait_for(lambda: not any(is_alive(pid) for pid in pids))


def test_what_a_killed_component_leaves_is_reaped(little: Callable[..., Little]) -> None:
    run = little("agent+parent")
    run.wait_for(lambda: run.said("ready") == ["agent"])
    grandchild = next(int(what.split("=")[1]) for _, what, _ in run.notes() if what.startswith("child="))
    os.kill(run.pid_of("agent"), signal.SIGKILL)
    run.wait_for_starts("agent", 2)
    assert parent_of(grandchild) == run.process.pid
    os.kill(grandchild, signal.SIGKILL)
    run.wait_for(lambda: not Path(f"/proc/{grandchild}").exists())


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


async def test_a_heartbeat_of_another_process_with_the_same_number_proves_nothing(redis: Redis) -> None:
    pid, name = os.getpid(), key("heartbeat", "worker", str(os.getpid()))
    redis.set(name, json.dumps({"pid": pid, "started": started_at(pid) - 1, "at": 0}))
    with pytest.raises(probes.NotReady, match="no heartbeat yet"):
        await probes.heartbeat_of(os.environ["REDIS_URL"], name, pid)
    Heartbeat("worker").beat()
    await probes.heartbeat_of(os.environ["REDIS_URL"], name, pid)
