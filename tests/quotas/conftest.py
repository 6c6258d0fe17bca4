"""Fixtures of the quotas' tests: keys of a counter store that is ready, and an engine on it."""

from __future__ import annotations

import pytest
import redis as redis_library

from quotas.api import BlockingQuotaEngine, EngineKeys


@pytest.fixture
def keys(redis: redis_library.Redis) -> EngineKeys:
    """This worker's keys, with the epoch set: counters are whole."""
    names = EngineKeys.of_installation()
    redis.set(names.epoch, "test")
    return names


@pytest.fixture
def engine(redis: redis_library.Redis, keys: EngineKeys) -> BlockingQuotaEngine:
    return BlockingQuotaEngine(redis)
