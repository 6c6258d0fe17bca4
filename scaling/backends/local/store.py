"""The shape of orders and reports in Redis; owns the keys, decides nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import redis

from core.processes import started_at
from core.redis import key
from scaling.data import Fleet, Machine, Target, TenantWorkers, WorkerLimits, WorkerStatus, WorkerView


def desired_key() -> str:
    """A hash: tenant id -> order."""
    return key("scaling", "local", "desired")


def observed_key() -> str:
    """One JSON document, so that a reader never sees half a report. `pid` and `started` tell which agent wrote it."""
    return key("scaling", "local", "observed")


def write_targets(client: redis.Redis, targets: Mapping[str, Target]) -> None:
    if targets:
        orders: Any = {
            tenant_id: json.dumps([target.queue, target.replicas, target.drain_seconds, *_limits_out(target.limits)])
            for tenant_id, target in targets.items()
        }
        client.hset(desired_key(), mapping=orders)


def forget_target(client: redis.Redis, tenant_id: str) -> None:
    client.hdel(desired_key(), tenant_id)


def read_targets(client: redis.Redis) -> dict[str, Target]:
    orders: Any = client.hgetall(desired_key())
    return {tenant_id.decode(): _target_in(*json.loads(order)) for tenant_id, order in orders.items()}


def _target_in(queue: str, replicas: int, drain_seconds: int, *limits: int) -> Target:
    """An order of an earlier version has no limits."""
    return Target(queue, replicas, drain_seconds, WorkerLimits(*limits))


def _limits_out(limits: WorkerLimits) -> list[int]:
    return [limits.memory_bytes, limits.cpu_millicores]


def write_report(client: redis.Redis, fleet: Fleet, agent_pid: int) -> None:
    document = {
        "pid": agent_pid,
        "started": started_at(agent_pid),
        "at": fleet.observed_at.timestamp(),
        "machine": [fleet.machine.memory_total, fleet.machine.memory_available, fleet.machine.cpus],
        "tenants": {tenant_id: _tenant_out(seen) for tenant_id, seen in fleet.tenants.items()},
    }
    client.set(observed_key(), json.dumps(document))


def read_report(client: redis.Redis) -> Fleet | None:
    text: Any = client.get(observed_key())
    if text is None:
        return None
    document = json.loads(text)
    return Fleet(
        observed_at=datetime.fromtimestamp(document["at"], tz=UTC),
        machine=Machine(*document["machine"]),
        tenants={tenant_id: _tenant_in(seen) for tenant_id, seen in document["tenants"].items()},
    )


def _tenant_out(seen: TenantWorkers) -> dict[str, Any]:
    rows = [_worker_out(worker) for worker in seen.workers]
    return {"workers": rows, "crashes": seen.crashes, "retry_in": seen.retry_in_seconds, "death": seen.last_death}


def _worker_out(worker: WorkerView) -> list[Any]:
    seen = [worker.pid, worker.created_at, worker.status, worker.cpu_percent, worker.rss_bytes, worker.age_seconds]
    return [*seen, _limits_out(worker.limits), list(worker.held_by)]


def _tenant_in(seen: dict[str, Any]) -> TenantWorkers:
    workers = tuple(
        WorkerView(pid, created_at, WorkerStatus(status), cpu, rss, age, WorkerLimits(*limits), tuple(held_by))
        for pid, created_at, status, cpu, rss, age, limits, held_by in seen["workers"]
    )
    return TenantWorkers(workers, seen["crashes"], seen["retry_in"], seen["death"])
