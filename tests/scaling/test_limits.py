"""Each worker within its share: what the kernel refuses, who dies of it and who lives, and what the records say."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.conf import secrets_path
from core.ids import new_ulid
from core.redis import key
from scaling.backends.local import store
from scaling.backends.local.limits import NICENESS, Cage, in_the_child, make_cage
from scaling.conf import MEBIBYTE, LocalSettings
from scaling.data import Target, TenantWorkers, WorkerLimits
from tests.scaling import worker_app
from tests.scaling.running import eventually, workers_alive
from tests.scaling.test_local_agent import Driver

ACME, GLOBEX = new_ulid(), new_ulid()
LIMITS = WorkerLimits(memory_bytes=256 * MEBIBYTE, cpu_millicores=500)
pytestmark = pytest.mark.usefixtures("small_workers")


def order(driver: Driver, tenant_id: str, replicas: int, limits: WorkerLimits = LIMITS) -> None:
    store.write_targets(driver.client, {tenant_id: Target(f"tenant.{tenant_id}", replicas, 5, limits)})


def seen(driver: Driver, tenant_id: str) -> TenantWorkers:
    fleet = store.read_report(driver.client)
    return fleet.tenants.get(tenant_id, TenantWorkers()) if fleet else TenantWorkers()


def idle(driver: Driver, tenant_id: str) -> list[int]:
    return [worker.pid for worker in seen(driver, tenant_id).workers if worker.status == "idle"]


@pytest.fixture
def driver(redis, local: LocalSettings) -> Iterator[Driver]:
    driver = Driver(redis, local)
    yield driver
    driver.agent._stop_all()


def test_a_worker_is_held_by_the_kernel_and_its_view_says_by_what(driver) -> None:
    order(driver, ACME, 1)
    [pid] = driver.until(lambda: idle(driver, ACME), "an idle worker")
    process = psutil.Process(pid)
    assert process.rlimit(resource.RLIMIT_DATA) == (LIMITS.memory_bytes, LIMITS.memory_bytes)
    assert process.rlimit(resource.RLIMIT_CORE) == (0, 0)
    assert len(process.cpu_affinity()) == 1
    assert process.nice() >= NICENESS
    [view] = seen(driver, ACME).workers
    assert (view.limits, view.held_by) == (LIMITS, ("RLIMIT_DATA and the agent", "whole cores and nice"))


def test_one_that_takes_too_much_dies_of_it_while_the_others_live_and_the_record_says_why(driver) -> None:
    for tenant_id in (ACME, GLOBEX):
        order(driver, tenant_id, 1)
    driver.until(lambda: idle(driver, ACME) and idle(driver, GLOBEX), "two idle workers")
    [greedy], [neighbour] = idle(driver, ACME), idle(driver, GLOBEX)
    worker_app.eat.apply_async((1024,), queue=f"tenant.{ACME}")
    driver.until(lambda: seen(driver, ACME).crashes, "the death is noticed", 40)
    assert not psutil.pid_exists(greedy)
    assert int(driver.client.get(key("tests", "eaten"))) < 256
    assert seen(driver, ACME).last_death == "it needed more memory than its 256 MiB"
    assert idle(driver, GLOBEX) == [neighbour]
    assert driver.client.llen(key("tests", "ended")) == 0
    driver.until(lambda: idle(driver, ACME), "a new worker, which is not given the same task again", 40)
    assert idle(driver, ACME) != [greedy]


def test_what_the_kernel_does_not_count_the_agent_ends(driver) -> None:
    order(driver, ACME, 1, WorkerLimits(memory_bytes=512 * MEBIBYTE))
    driver.until(lambda: idle(driver, ACME), "an idle worker")
    [worker] = driver.agent._workers
    worker._cage = replace(worker._cage, limits=WorkerLimits(memory_bytes=1 * MEBIBYTE))
    driver.until(lambda: seen(driver, ACME).crashes, "it is over its limit, and ended")
    assert "more memory than its 1 MiB" in seen(driver, ACME).last_death


def test_another_end_is_told_as_what_it_was(driver) -> None:
    order(driver, ACME, 1)
    [pid] = driver.until(lambda: idle(driver, ACME), "an idle worker")
    os.kill(pid, 9)
    driver.until(lambda: seen(driver, ACME).crashes, "the death is noticed")
    assert seen(driver, ACME).last_death == "signal 9 ended it"


def test_a_worker_knows_where_things_are_and_none_of_the_platforms_credentials(driver, monkeypatch) -> None:
    for name in (
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "LUMOS_SMTP_URL",
        "LUMOS_METRICS_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "LUMOS_MASTER_KEY_V1",
        "LUMOS_MASTER_KEY_V12",
        "LUMOS_SOMETHING_NEW",
    ):
        monkeypatch.setenv(name, "a-secret-of-the-platform")
    order(driver, ACME, 1)
    driver.until(lambda: idle(driver, ACME), "an idle worker")
    worker_app.environment.apply_async(queue=f"tenant.{ACME}")
    eventually(lambda: driver.client.llen(key("tests", "environment")), "it told its environment")
    names = {name.decode() for name in driver.client.lrange(key("tests", "environment"), 0, -1)}
    assert {"LUMOS_WORKER_TENANT", "PATH"} <= names
    assert not {name for name in names if "API_KEY" in name or "SECRET_ACCESS" in name}
    assert {name for name in names if name.startswith("LUMOS_")} <= {
        *("LUMOS_BASE_DOMAIN", "LUMOS_DEBUG", "LUMOS_LOG_JSON", "LUMOS_SUPERVISOR", "LUMOS_VAR", "LUMOS_SECRETS_FILE"),
        *("LUMOS_REDIS_ANSWER_SECONDS", "LUMOS_REDIS_CONNECT_SECONDS", "LUMOS_REDIS_NAMESPACE", "LUMOS_ROLE"),
        *("LUMOS_WORKER_TENANT", "LUMOS_WORKER_HOME", "LUMOS_WORKER_STATE", "LUMOS_WORKER_ORPHAN_SECONDS"),
    }
    [worker] = workers_alive(driver.local.home)
    assert worker.environ()["LUMOS_SECRETS_FILE"] == str(driver.local.secrets_file) != str(secrets_path())


def test_a_control_group_is_used_where_one_was_delegated(tmp_path: Path) -> None:
    cage = make_cage(LIMITS, base=tmp_path, name="w1")
    assert cage.group == tmp_path / "w1"
    assert (cage.group / "memory.max").read_text() == str(256 * MEBIBYTE)
    assert (cage.group / "cpu.max").read_text() == "50000 100000"
    assert cage.means == ("cgroup memory.max", "cgroup cpu.max")
    assert cage.enter()
    assert (cage.group / "cgroup.procs").read_text() == "0"  # whoever writes it
    assert cage.as_entered() is cage
    assert not cage.over(10**12)


def test_a_control_group_that_lets_nobody_in_ends_no_agent_and_the_next_best_holds_the_worker(driver) -> None:
    """A path so long that the group and its cpu.max can be made, and cgroup.procs in it cannot be written."""
    base = driver.local.run_dir
    length = os.pathconf(base, "PC_PATH_MAX") - 1 - len(f"/{ACME}.{os.getpid()}.1/cpu.max")
    while missing := length - len(str(base)):
        base /= "d" * (min(missing, 202) - 1 if missing != 203 else 100)
    base.mkdir(parents=True)
    driver.agent._settings = replace(driver.local, cgroup=base)
    order(driver, ACME, 1, WorkerLimits(cpu_millicores=500))
    [pid] = driver.until(lambda: idle(driver, ACME), "an idle worker")
    assert len(psutil.Process(pid).cpu_affinity()) == 1
    [view] = seen(driver, ACME).workers
    assert view.held_by == ("whole cores and nice",)


def test_what_a_control_group_does_not_hold_the_process_holds_itself(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").mkdir()
    cage = Cage(LIMITS, tmp_path, ("cgroup memory.max", "cgroup cpu.max"))
    said = subprocess.run(
        [sys.executable, "-c", "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])"],
        preexec_fn=in_the_child(cage, lambda: None),
        stdout=subprocess.PIPE,
        check=True,
    )
    assert int(said.stdout) == LIMITS.memory_bytes
    assert cage.as_entered() == Cage(LIMITS, None, ("RLIMIT_DATA and the agent", "whole cores and nice"))


def test_without_one_the_next_best_is_named(tmp_path: Path) -> None:
    for base in (None, tmp_path / "nowhere"):
        cage = make_cage(LIMITS, base=base, name="w1")
        assert (cage.group, cage.means[0]) == (None, "RLIMIT_DATA and the agent")
        assert cage.over(257 * MEBIBYTE)
    assert make_cage(WorkerLimits(), base=None, name="w1") == Cage(WorkerLimits(), None, ())
    assert not make_cage(WorkerLimits(), base=None, name="w1").over(10**12)


def test_an_order_of_an_earlier_version_has_no_limits(redis) -> None:
    redis.hset(store.desired_key(), ACME, '["q", 1, 5]')
    assert store.read_targets(redis) == {ACME: Target("q", 1, 5)}
