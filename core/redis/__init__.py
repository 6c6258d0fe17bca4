"""Connections to Redis and the names of keys; owns the namespace and how long to wait, knows nothing of what is stored.

A call waits `connect_seconds` for a connection and `answer_seconds` for its answer, and is not repeated: a command
whose answer is lost may have been carried out. A connection that the server closed is noticed before anything is sent
on it, so the first call after a restart gets through.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.conf import env_seconds

DEFAULT_URL = "redis://127.0.0.1:6379/0"


def redis_url() -> str:
    return os.environ.get("REDIS_URL") or DEFAULT_URL


def connect_seconds() -> float:
    """LUMOS_REDIS_CONNECT_SECONDS; raises ValueError for what is no number of seconds."""
    return env_seconds("LUMOS_REDIS_CONNECT_SECONDS", "0.5")


def answer_seconds() -> float:
    """LUMOS_REDIS_ANSWER_SECONDS; raises ValueError for what is no number of seconds."""
    return env_seconds("LUMOS_REDIS_ANSWER_SECONDS", "1.4")


def namespace() -> str:
    return os.environ.get("LUMOS_REDIS_NAMESPACE") or "lumos"


def key(*parts: str) -> str:
    """A key of this installation, such as `lumos:gw:tenant:01j…`."""
    return ":".join((namespace(), *parts))


def connection_options() -> dict[str, Any]:
    """For blocking clients: the two waits, no repetition, and a PING before a connection that was idle is used."""
    return {
        "socket_connect_timeout": connect_seconds(),
        "socket_timeout": answer_seconds(),
        "health_check_interval": 15,
        "retry": Retry(NoBackoff(), 0),
    }


@cache
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, **connection_options())


def control() -> redis.Redis:
    """The shared blocking client of the control plane, answering in bytes."""
    return _client(redis_url())
