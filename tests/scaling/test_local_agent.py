"""The local backend's agent with real worker processes: it starts, measures, drains, kills and recovers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import psutil
import pytest

from core.conf import ROOT
from core.ids import new_ulid
from core.redis import key
from scaling.backends.local import store
from scaling.backends.local.agent import Agent, AgentRunning, _lock
from scaling.backends.local.backend import LocalBackend
from scaling.conf import LocalSettings
from scaling.data import Target, TenantWorkers, WorkerStatus
from tests.scaling import worker_app
from tests.scaling.running import AgentProcess, eventually, order, reported, workers_alive

TENANT = new_ulid()
QUEUE = f"tenant.{TENANT}"
pytestmark = pytest.mark.usefixtures("small_workers")


class Driver:
    """An agent in this process, moved on by hand."""

    def __init__(self, client, local: LocalSettings) -> None:
        self.client, self.local = client, local
        self.agent = Agent(client, local)

    def step(self) -> None:
        self.agent.step(time.time())

    def seen(self) -> TenantWorkers:
        fleet = store.read_report(self.client)
        return fleet.tenants.get(TENANT, TenantWorkers()) if fleet else TenantWorkers()

    def until(self, check: Callable[[], object], what: str, seconds: float = 20):
        return eventually(check, what, seconds, self.step)

    def statuses(self) -> list[str]:
        return sorted(str(worker.status) for worker in self.seen().workers)


@pytest.fixture
def driver(redis, local) -> Iterator[Driver]:
    driver = Driver(redis, local)
    yield driver
    driver.agent._stop_all()
    assert workers_alive(local.home) == []


def test_an_order_starts_workers_that_do_the_tenants_tasks(driver):
    order(driver.client, TENANT, 2)
    driver.until(lambda: driver.statuses() == ["idle", "idle"], "two idle workers")
    assert len(workers_alive(driver.local.home)) == 2
    worker_app.work.apply_async((0,), queue=QUEUE)
    driver.until(lambda: driver.client.llen(key("tests", "ended")), "the task ran")
    assert int(driver.client.lindex(key("tests", "ended"), 0)) in {worker.pid for worker in driver.seen().workers}
    environment = workers_alive(driver.local.home)[0].environ()
    assert environment["LUMOS_WORKER_TENANT"] == TENANT


def test_a_lower_order_drains_the_idle_and_lets_the_busy_finish(driver):
    order(driver.client, TENANT, 2)
    driver.until(lambda: driver.statuses() == ["idle", "idle"], "two idle workers")
    worker_app.work.apply_async((3,), queue=QUEUE)
    driver.until(lambda: driver.statuses() == ["busy", "idle"], "one busy worker")
    busy = next(worker.pid for worker in driver.seen().workers if worker.status is WorkerStatus.BUSY)
    order(driver.client, TENANT, 1)
    driver.until(lambda: len(driver.seen().workers) == 1, "one worker left")
    assert driver.seen().workers[0].pid == busy
    order(driver.client, TENANT, 0)
    driver.until(lambda: driver.statuses() == ["draining"], "the busy worker is told to go")
    driver.until(lambda: driver.statuses() == [], "it has gone", 10)
    assert driver.client.llen(key("tests", "ended")) == 1
    assert list(driver.local.run_dir.glob(f"{TENANT}.*")) == []


def test_a_task_longer_than_the_drain_deadline_is_killed_with_what_it_started(driver):
    order(driver.client, TENANT, 1)
    driver.until(lambda: driver.statuses() == ["idle"], "an idle worker")
    worker_app.work.apply_async((60,), {"with_child": True}, queue=QUEUE)
    driver.until(lambda: driver.client.llen(key("tests", "child")), "the task began")
    child = psutil.Process(int(driver.client.lindex(key("tests", "child"), 0)))
    began = time.monotonic()
    order(driver.client, TENANT, 0, drain_seconds=2)
    driver.until(lambda: driver.statuses() == [], "the worker is gone")
    assert 1.5 < time.monotonic() - began < 5
    eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "its child is gone", 3)


def test_a_shorter_deadline_overrules_a_drain_that_has_begun(driver):
    order(driver.client, TENANT, 1)
    driver.until(lambda: driver.statuses() == ["idle"], "an idle worker")
    worker_app.work.apply_async((60,), queue=QUEUE)
    driver.until(lambda: driver.statuses() == ["busy"], "a busy worker")
    order(driver.client, TENANT, 0, drain_seconds=60)
    driver.until(lambda: driver.statuses() == ["draining"], "it drains")
    order(driver.client, TENANT, 0, drain_seconds=1)
    driver.until(lambda: driver.statuses() == [], "the worker is gone", 5)


def test_a_killed_worker_is_replaced_after_a_pause(driver):
    order(driver.client, TENANT, 1)
    driver.until(lambda: driver.statuses() == ["idle"], "an idle worker")
    first = driver.seen().workers[0]
    os.kill(first.pid, signal.SIGKILL)
    driver.until(lambda: driver.seen().crashes == 1, "the death is noticed")
    driver.until(lambda: driver.statuses() == ["idle"], "a new worker")
    assert driver.seen().workers[0].pid != first.pid


def test_workers_that_die_at_their_start_are_tried_ever_less_often(redis, local):
    broken = Driver(redis, replace(local, celery_app="tests.scaling.broken_app"))
    order(redis, TENANT, 3)
    broken.until(lambda: broken.seen().crashes >= 2, "the crash loop is noticed")
    assert broken.seen().retry_in_seconds >= 1
    assert len(broken.seen().workers) <= 2
    order(redis, TENANT, 0)
    broken.until(lambda: not broken.seen().workers, "nothing runs")


def test_a_worker_that_never_becomes_ready_is_killed(redis, local):
    slow = Driver(redis, replace(local, start_timeout_seconds=0))
    order(redis, TENANT, 1)
    slow.until(lambda: slow.seen().crashes, "the slow worker is given up")
    order(redis, TENANT, 0)
    slow.until(lambda: not slow.seen().workers, "nothing runs")


def test_no_more_workers_start_at_a_time_than_there_are_cores(driver):
    order(driver.client, TENANT, 10)
    driver.step()
    assert driver.statuses() == ["starting"] * (os.cpu_count() or 1)
    order(driver.client, TENANT, 0)


def test_the_load_of_a_busy_worker_shows_and_its_start_does_not(driver):
    order(driver.client, TENANT, 1)
    driver.until(lambda: driver.statuses() == ["idle"], "an idle worker")
    assert driver.seen().workers[0].cpu_percent is None
    driver.until(lambda: driver.seen().workers[0].cpu_percent is not None, "a measured worker")
    assert driver.seen().workers[0].cpu_percent < 10
    assert driver.seen().workers[0].rss_bytes > 10_000_000
    worker_app.burn.apply_async((30,), queue=QUEUE)
    driver.until(lambda: driver.seen().workers[0].cpu_percent > 15, "the load shows", 30)


def test_a_lost_order_changes_nothing_and_neither_does_a_lost_redis(driver, monkeypatch):
    order(driver.client, TENANT, 1)
    driver.until(lambda: driver.statuses() == ["idle"], "an idle worker")
    pid = driver.seen().workers[0].pid
    driver.client.delete(store.desired_key())
    driver.step()
    assert [worker.pid for worker in driver.seen().workers] == [pid]
    away = type(driver.client)(host="127.0.0.1", port=1, retry=None, socket_connect_timeout=0.2)
    driver.agent._client = away
    driver.step()
    assert psutil.pid_exists(pid)
    driver.agent._client = driver.client
    driver.step()
    assert [worker.pid for worker in driver.seen().workers] == [pid]


def test_a_new_agent_sees_off_what_the_last_one_left(redis, local):
    first, second = Driver(redis, local), Driver(redis, local)
    second.agent._numbers = count(1000)
    order(redis, TENANT, 1)
    first.until(lambda: first.statuses() == ["idle"], "an idle worker")
    left = first.seen().workers[0].pid
    second.agent._adopt()
    second.step()
    assert left in {worker.pid for worker in second.seen().workers if worker.status is WorkerStatus.DRAINING}
    second.until(lambda: second.statuses() == ["idle"], "only the new worker is left")
    assert second.seen().workers[0].pid != left
    second.agent._stop_all()
    first.agent._workers.clear()


def test_one_agent_at_a_time(local, redis):
    with _lock(local):
        with pytest.raises(AgentRunning):
            Agent(redis, local).run()
        process = subprocess.run(
            [sys.executable, "-m", "scaling.backends.local"], cwd=ROOT, capture_output=True, text=True, timeout=30
        )
    assert process.returncode == 1
    assert process.stderr.startswith("Another local backend runs for")


def test_a_stop_signal_takes_all_workers_down(redis, local):
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    order(redis, TENANT, 2)

    def stop_when_up() -> None:
        eventually(lambda: len(workers_alive(local.home)) == 2, "two workers")
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop_when_up)
    stopper.start()
    try:
        Agent(redis, local).run()
    finally:
        stopper.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert workers_alive(local.home) == []
    assert reported(redis).tenants == {}


@pytest.mark.faults
def test_kill_9_of_the_agent_leaves_no_worker_and_the_next_one_recovers(redis, local):
    order(redis, TENANT, 2)
    first = AgentProcess(redis, TENANT)
    eventually(lambda: len(first.idle_workers()) == 2, "two idle workers")
    assert psutil.Process(first.popen.pid).memory_info().rss < 60 * 1024 * 1024
    first.popen.kill()
    first.popen.wait()
    eventually(lambda: workers_alive(local.home) == [], "the workers went with their agent", 8)
    second = AgentProcess(redis, TENANT)
    eventually(lambda: len(second.idle_workers()) == 2, "two new idle workers")
    second.popen.terminate()
    assert second.popen.wait(15) == 0
    assert workers_alive(local.home) == []


@pytest.mark.faults
def test_a_busy_worker_whose_agent_was_killed_ends_by_itself(redis, local):
    order(redis, TENANT, 1)
    agent = AgentProcess(redis, TENANT)
    eventually(agent.idle_workers, "an idle worker")
    worker_app.work.apply_async((60,), queue=QUEUE)
    eventually(lambda: redis.llen(key("tests", "began")), "a busy worker")
    agent.popen.kill()
    agent.popen.wait()
    eventually(lambda: workers_alive(local.home) == [], "the worker ended by itself", 8)


def test_the_control_side_reads_what_the_agent_wrote(driver):
    backend = LocalBackend()
    assert backend.fleet() is None
    backend.publish({})
    backend.publish({TENANT: Target(QUEUE, 1, 20)})
    driver.until(lambda: driver.statuses() == ["idle"], "an idle worker")
    fleet = reported(driver.client)
    assert backend.fleet() == fleet
    assert fleet.machine.cpus == os.cpu_count()
    assert 0 < fleet.machine.memory_available < fleet.machine.memory_total
    assert len(fleet.tenants[TENANT].live) == 1
