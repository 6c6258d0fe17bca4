"""Helpers of the tests that run real workers: orders, waiting, finding processes, the agent as a process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil
import redis

from core.conf import ROOT
from scaling.backends.local import store
from scaling.backends.local.worker import HOME
from scaling.data import Fleet, Target, TenantWorkers, WorkerStatus
from scaling.models import ScalingDecision


def order(client: redis.Redis, tenant_id: str, replicas: int, drain_seconds: int = 20) -> None:
    store.write_targets(client, {tenant_id: Target(f"tenant.{tenant_id}", replicas, drain_seconds)})


def eventually(
    check: Callable[[], Any], what: str, seconds: float = 60, step: Callable[[], object] | None = None
) -> Any:
    """Ask again until the answer is truthy; returns it."""
    deadline = time.monotonic() + seconds
    while not (answer := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        if step:
            step()
        time.sleep(0.1)
    return answer


def workers_alive(home: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(HOME) == home and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def decisions_of(tenant_id: str) -> list[ScalingDecision]:
    """The tenant's decisions, newest first."""
    return list(ScalingDecision.objects.filter(tenant_id=tenant_id).order_by("-last_at", "-id"))


def reported(client: redis.Redis) -> Fleet:
    """The agent's last report, which there must be."""
    fleet = store.read_report(client)
    assert fleet is not None
    return fleet


class AgentProcess:
    """The agent as the product runs it."""

    def __init__(
        self, client: redis.Redis, tenant_id: str, command: tuple[str, ...] = ("-m", "scaling.backends.local")
    ) -> None:
        self.client, self.tenant_id = client, tenant_id
        self.popen = subprocess.Popen([sys.executable, *command], cwd=ROOT)

    def pids(self, *statuses: WorkerStatus) -> list[int]:
        text: Any = self.client.get(store.observed_key())
        if not text or json.loads(text)["pid"] != self.popen.pid:
            return []
        seen = reported(self.client).tenants.get(self.tenant_id, TenantWorkers())
        return [worker.pid for worker in seen.workers if worker.status in statuses]

    def idle_workers(self) -> list[int]:
        return self.pids(WorkerStatus.IDLE)
