"""Connections to Redis and the names of keys; owns the namespace, knows nothing of what is stored."""

from __future__ import annotations

import os
from functools import cache

import redis

DEFAULT_URL = "redis://127.0.0.1:6379/0"


def redis_url() -> str:
    return os.environ.get("REDIS_URL") or DEFAULT_URL


def namespace() -> str:
    return os.environ.get("LUMOS_REDIS_NAMESPACE") or "lumos"


def key(*parts: str) -> str:
    """A key of this installation, such as `lumos:gw:tenant:01j…`."""
    return ":".join((namespace(), *parts))


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2, health_check_interval=15)


def control() -> redis.Redis:
    """The shared blocking client of the control plane, answering in bytes."""
    return _client(redis_url())
