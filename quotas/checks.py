"""The start-up self test: a limiter that is configured but does not limit must not go into service.

`self_test` asks the real scripts in the real Redis, with keys of its own that nobody else reads. As a system check it
runs with `check --deploy`; whoever starts the product calls it through quotas.api.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import redis
from django.core.checks import CheckMessage, Error, register

from core.errors import Unavailable
from core.ids import new_ulid
from core.redis import control, key
from quotas.data import Dimension, EffectiveLimits, Limit, Outcome, ReserveRequest
from quotas.engine.blocking import BlockingQuotaEngine
from quotas.engine.keys import EngineKeys
from quotas.policies import BUILT_IN
from tenants.data import TenantType


def self_test(client: redis.Redis) -> list[str]:
    """What is wrong with the limiter, in sentences; empty when it denies and admits as it should."""
    root = key("quota-self-test", new_ulid())
    keys = EngineKeys.under(root, usage=f"{root}:usage", sequence=f"{root}:sequence")
    try:
        client.set(keys.epoch, "self-test", ex=60)
        return [*_faults_of_denial(BlockingQuotaEngine(client, keys=keys))]
    finally:
        if leftover := list(client.scan_iter(f"{root}:*", count=10_000)):  # it waits on a start, among others' keys
            client.delete(*leftover)


def _faults_of_denial(engine: BlockingQuotaEngine) -> list[str]:
    faults = []
    for dimension in Dimension:
        closed, opened = (_probe(engine, dimension, value) for value in (0, 1))
        if closed:
            faults.append(f"A limit of 0 for {dimension.value} let a request pass")
        if not opened:
            faults.append(f"A limit of 1 for {dimension.value} denied the first request")
    return faults


def _probe(engine: BlockingQuotaEngine, dimension: Dimension, value: int) -> bool:
    limits = EffectiveLimits(new_ulid(), (Limit(dimension, value),))
    admission = engine.reserve(ReserveRequest(f"req_{new_ulid()}", limits, 1, 1, 1, 1, b"{}"))
    if admission.ticket is None:
        return False
    return engine.release(admission.ticket) is Outcome.BOOKED


@register("quotas")
def check_profiles(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Every tenant type has a built-in limit for every dimension: nobody starts without limits."""
    return [
        Error(f"{kind.value} has no built-in limit for {dimension.value}", id="quotas.E001")
        for kind in TenantType
        for dimension in Dimension
        if dimension not in BUILT_IN.get(kind, {})
    ]


@register("quotas", deploy=True)
def check_limiter(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    try:
        return [Error(fault, id="quotas.E002") for fault in self_test(control())]
    except (Unavailable, redis.RedisError) as error:
        return [Error(f"The limiter could not be tested: {error}", id="quotas.E003")]
