"""What a round sees: reports of the backend, lengths of the tenants' queues, earlier recommendations.

Owns the reading, and the writing of the recommendations, which live in Redis: when they are lost, nothing is
scaled down until a full window was watched again. Decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import redis

from core.redis import control, key
from core.tenancy.celery import queue_of
from scaling.conf import WorkerSettings
from scaling.data import Fleet, Observed, ReplicaSample, Span, TenantWorkers, WorkerStatus, WorkerView
from scaling.errors import BackendAway


def queue_depths(tenant_ids: Sequence[str]) -> dict[str, int]:
    """Return the waiting tasks by tenant, in one round trip. A tenant whose queue cannot be read is not in it.

    The broker keeps a queue as a list under its name, behind the key prefix that the Celery app is given.
    """
    pipe = control().pipeline(transaction=False)
    for tenant_id in tenant_ids:
        pipe.llen(key("celery", queue_of(tenant_id)))
    try:
        lengths = pipe.execute(raise_on_error=False)
    except redis.RedisError:
        return {}
    rows = zip(tenant_ids, lengths, strict=True)
    return {tenant_id: length for tenant_id, length in rows if isinstance(length, int)}


def observed(
    tenant_id: str,
    current: int,
    *,
    fleet: Fleet | None,
    waiting: int | None,
    slots: int | None,
    allotted: int | None,
    fitting: int,
    active: bool,
    settings: WorkerSettings,
) -> Observed:
    """Return one tenant's view of the round. `slots` are the workers that the machine can still take, `allotted`
    those that the tenant may have at all, `fitting` those among which its ceiling can be divided."""
    seen = fleet.tenants.get(tenant_id, TenantWorkers()) if fleet else TenantWorkers()
    busy = sum(worker.status is WorkerStatus.BUSY for worker in seen.workers)
    return Observed(
        current=current,
        replicas=tuple(_sample(worker, settings) for worker in seen.live),
        queue_depth=None if waiting is None else waiting + busy,
        observed_at=fleet.observed_at if fleet else None,
        capacity=None if slots is None else current + slots,
        tenant_active=active,
        allotted=allotted,
        fitting=fitting,
        last_death=seen.last_death,
    )


def _sample(worker: WorkerView, settings: WorkerSettings) -> ReplicaSample:
    """A worker that is starting, or up for too short a time to have a CPU figure, is not ready."""
    ready = worker.status is not WorkerStatus.STARTING and worker.cpu_percent is not None
    return ReplicaSample(
        ready=ready,
        cpu_percent=worker.cpu_percent,
        memory_percent=worker.rss_bytes * 100 // settings.memory_request if ready else None,
    )


def read_spans() -> dict[str, tuple[Span, ...]]:
    """Return every tenant's remembered recommendations. Raises BackendAway."""
    try:
        rows: Any = control().hgetall(_spans_key())
    except redis.RedisError as error:
        raise BackendAway() from error
    return {tenant_id.decode(): _spans(text) for tenant_id, text in rows.items()}


def write_spans(spans: Mapping[str, Sequence[Span]]) -> None:
    """Remember the recommendations. Raises BackendAway."""
    rows: Any = {
        tenant_id: json.dumps([[s.first_at.timestamp(), s.last_at.timestamp(), s.replicas] for s in mine])
        for tenant_id, mine in spans.items()
    }
    try:
        if rows:
            control().hset(_spans_key(), mapping=rows)
    except redis.RedisError as error:
        raise BackendAway() from error


def forget_tenant(tenant_id: str) -> None:
    """Drop what is remembered of a tenant, and the tasks that a killed worker of it had taken. Raises BackendAway.

    The broker keeps a taken task until it is done with, and would put it back on the queue an hour later.
    """
    try:
        control().hdel(_spans_key(), tenant_id)
        for tag, text in control().hscan_iter(key("celery", "unacked"), count=500):
            if queue_of(tenant_id).encode() in text:
                control().hdel(key("celery", "unacked"), tag)
                control().zrem(key("celery", "unacked_index"), tag)
    except redis.RedisError as error:
        raise BackendAway() from error


def _spans_key() -> str:
    return key("scaling", "recommendations")


def _spans(text: bytes) -> tuple[Span, ...]:
    return tuple(
        Span(datetime.fromtimestamp(first, tz=UTC), datetime.fromtimestamp(last, tz=UTC), replicas)
        for first, last, replicas in json.loads(text)
    )
