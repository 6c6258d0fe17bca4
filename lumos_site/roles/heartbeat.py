"""Signs of life of worker and beat, kept in Redis where the supervisor and the operators' pages look for them."""

from __future__ import annotations

import json
import os
import time

import redis
import structlog

from core.outage_log import is_news
from core.processes import started_at
from core.redis import control, key
from core.redis.pipe import RedisAway
from lumos_site.supervisor.heartbeats import EVERY_SECONDS, LIFETIME_SECONDS, heartbeat_parts

log = structlog.get_logger(__name__)


class Heartbeat:
    """Written at most every two seconds, from the loop whose life it is to prove."""

    def __init__(self, role: str) -> None:
        self._key = key(*heartbeat_parts(role, os.getpid()))
        self._started = started_at(os.getpid())
        self._due = 0.0

    def beat(self) -> None:
        """Never raises: a lost Redis is the broker's connection to complain about."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_SECONDS
        content = json.dumps({"pid": os.getpid(), "started": self._started, "at": time.time()})
        try:
            control().set(self._key, content, ex=LIFETIME_SECONDS)
        except redis.RedisError as error:
            if is_news(RedisAway()):
                log.warning("lumos_site.heartbeat.lost", key=self._key, error=str(error))
