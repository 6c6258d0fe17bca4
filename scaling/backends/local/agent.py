"""The process that carries out orders on one machine, once a second; owns its workers and decides no number.

It keeps what runs when Redis is away or an order is gone: only an order that says fewer takes workers away. One
agent per installation: a lock file under var/ keeps a second one out.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from itertools import count
from typing import TextIO

import psutil
import redis
import structlog

from scaling.backends.local import store
from scaling.backends.local.crashes import Crashes
from scaling.backends.local.reconcile import moves
from scaling.backends.local.worker import Worker, orphans, start_worker, wait_until_gone
from scaling.conf import LocalSettings
from scaling.data import Fleet, Machine, Target, TenantWorkers, WorkerStatus

log = structlog.get_logger(__name__)
INTERVAL_SECONDS = 1.0


class AgentRunning(Exception):
    """Another agent of this installation holds the lock."""


class Agent:
    """Reconciles workers with orders. Call `run` in the main thread: the kernel ties workers to that thread."""

    def __init__(self, client: redis.Redis, settings: LocalSettings) -> None:
        self._client = client
        self._settings = settings
        self._targets: dict[str, Target] = {}
        self._workers: list[Worker] = []
        self._crashes: dict[str, Crashes] = defaultdict(Crashes)
        self._deaths: dict[str, str] = {}
        self._numbers = count(1)
        self._stopping = threading.Event()
        self._redis_away = False

    def run(self) -> None:
        """Work until SIGTERM or SIGINT, then take all workers down. Raises AgentRunning."""
        with _lock(self._settings):
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: self._stopping.set())
            self._adopt()
            try:
                while not self._stopping.is_set():
                    self.step(time.time())
                    self._stopping.wait(INTERVAL_SECONDS)
            finally:
                self._stop_all()

    def step(self, now: float) -> None:
        """One round: see what died, read orders, start and drain, report."""
        self._reap(now)
        self._read_orders()
        for tenant_id in {*self._targets, *(worker.tenant_id for worker in self._workers)}:
            self._reconcile(tenant_id, now)
        self._enforce_deadlines(now)
        self._report(now)

    def _adopt(self) -> None:
        """Workers of a killed agent were told by the kernel to go: see them off, with a deadline."""
        for worker in orphans(self._settings):
            log.info("scaling.local.orphan_found", pid=worker.identity[0], tenant=worker.tenant_id)
            worker.refresh(time.time())
            worker.drain(time.time() + self._settings.orphan_seconds)
            self._workers.append(worker)

    def _reap(self, now: float) -> None:
        for worker in [worker for worker in self._workers if not worker.refresh(now)]:
            self._workers.remove(worker)
            if worker.deadline is None:
                crashes = self._crashes[worker.tenant_id].after_death(worker.ready_seconds(now), now)
                self._crashes[worker.tenant_id] = crashes
                self._deaths[worker.tenant_id] = worker.cause_of_death()
                log.warning(
                    "scaling.local.worker_died",
                    tenant=worker.tenant_id,
                    pid=worker.identity[0],
                    exit_code=worker.exit_code,
                    cause=self._deaths[worker.tenant_id],
                    in_a_row=crashes.count,
                    retry_in=round(crashes.retry_in(now), 1),
                )

    def _read_orders(self) -> None:
        try:
            ordered = store.read_targets(self._client)
        except redis.RedisError as error:
            self._note_redis(away=True, error=str(error)[:200])
            return
        self._note_redis(away=False)
        self._targets.update(ordered)
        self._forget(self._targets.keys() - ordered.keys() - {worker.tenant_id for worker in self._workers})

    def _forget(self, unordered: set[str]) -> None:
        """An order of none that is gone, with nothing left to run, was taken back with its tenant."""
        for tenant_id in unordered:
            if self._targets[tenant_id].replicas == 0:
                del self._targets[tenant_id]
                self._crashes.pop(tenant_id, None)

    def _note_redis(self, *, away: bool, **facts: str) -> None:
        if away != self._redis_away:
            self._redis_away = away
            log.warning("scaling.local.redis_away" if away else "scaling.local.redis_back", **facts)

    def _reconcile(self, tenant_id: str, now: float) -> None:
        target = self._targets.get(tenant_id)
        if target is None:
            return
        mine = [worker for worker in self._workers if worker.tenant_id == tenant_id]
        step = moves(target.replicas, [worker.facts for worker in mine])
        for worker in mine:
            if worker.identity in step.drain:
                log.info("scaling.local.drain", tenant=tenant_id, pid=worker.identity[0])
                worker.drain(now + target.drain_seconds)
            elif worker.deadline is not None and target.replicas == 0:
                worker.drain(now + target.drain_seconds)
        self._start(tenant_id, target, step.start, now)

    def _start(self, tenant_id: str, target: Target, wanted: int, now: float) -> None:
        """Start up to `wanted`, but no more at a time than there are cores, and none during a back-off."""
        starting = sum(worker.facts.status is WorkerStatus.STARTING for worker in self._workers)
        room = max(0, (os.cpu_count() or 1) - starting)
        if self._crashes[tenant_id].retry_in(now) > 0:
            return
        room = min(room, 1) if self._crashes[tenant_id].count else room
        for _ in range(min(wanted, room)):
            worker = start_worker(tenant_id, target.queue, next(self._numbers), self._settings, target.limits)
            self._workers.append(worker)
            log.info("scaling.local.start", tenant=tenant_id, pid=worker.identity[0])

    def _enforce_deadlines(self, now: float) -> None:
        for worker in self._workers:
            facts = worker.facts
            slow = facts.status is WorkerStatus.STARTING and (
                now - worker.identity[1] > self._settings.start_timeout_seconds
            )
            if slow or (worker.deadline is not None and now >= worker.deadline):
                log.warning("scaling.local.kill", tenant=worker.tenant_id, pid=worker.identity[0], slow=slow)
                worker.kill()
            self._crashes[worker.tenant_id] = self._crashes[worker.tenant_id].after_ready(worker.ready_seconds(now))

    def _report(self, now: float) -> None:
        memory = psutil.virtual_memory()
        machine = Machine(memory.total, memory.available, os.cpu_count() or 1)
        fleet = Fleet(datetime.fromtimestamp(now, tz=UTC), machine, self._by_tenant(now))
        try:
            store.write_report(self._client, fleet, os.getpid())
        except redis.RedisError as error:
            self._note_redis(away=True, error=str(error)[:200])

    def _by_tenant(self, now: float) -> dict[str, TenantWorkers]:
        seen: dict[str, TenantWorkers] = {}
        for tenant_id in {*self._targets, *(worker.tenant_id for worker in self._workers)}:
            crashes = self._crashes[tenant_id]
            seen[tenant_id] = TenantWorkers(
                tuple(worker.view(now) for worker in self._workers if worker.tenant_id == tenant_id),
                crashes.count,
                int(crashes.retry_in(now)),
                self._deaths.get(tenant_id, "") if crashes.count else "",
            )
        return seen

    def _stop_all(self) -> None:
        """Ask all to finish, then kill; returns when none is left."""
        deadline = time.time() + self._settings.stop_seconds
        self._workers = [worker for worker in self._workers if worker.refresh(time.time())]
        for worker in self._workers:
            worker.drain(deadline)
        left = wait_until_gone(self._workers, deadline)
        for worker in left:
            worker.kill()
        self._workers = wait_until_gone(left, time.time() + 5)
        self._targets.clear()
        self._report(time.time())
        log.info("scaling.local.stopped", killed=len(left))


def _lock(settings: LocalSettings) -> TextIO:
    """The open lock file; closing it frees the lock. Raises AgentRunning."""
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    file = (settings.run_dir / "agent.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AgentRunning(f"Another local backend runs for {settings.run_dir}") from error
    return file
