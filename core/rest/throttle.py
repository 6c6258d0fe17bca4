"""A fixed number of REST requests per caller and minute; owns the count and its headers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

import redis
from django.conf import settings

from core.errors import TooManyRequests
from core.redis import control, key
from core.rest.principal import Principal

WINDOW = 60


class CallerLimited(TooManyRequests):
    code = "rate_limit_exceeded"
    title = "Too many REST requests in this minute"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of the minute; spoken as the RateLimit fields of the IETF draft."""

    quota: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Policy": f'"rpm";q={self.quota};w={WINDOW}',
            "RateLimit": f'"rpm";r={self.remaining};t={self.reset_seconds}',
        }


class _Local:
    """This process's own count of the current minute, used while Redis is away: a tenth of the quota."""

    def __init__(self) -> None:
        self._window, self._counts = 0, dict[str, int]()

    def count(self, caller: str, window: int) -> int:
        if window != self._window:
            self._window, self._counts = window, {}
        self._counts[caller] = self._counts.get(caller, 0) + 1
        return self._counts[caller] * 10


_local = _Local()


def count_request(caller: Principal, moment: float | None = None) -> Standing:
    """Count one request; raises CallerLimited with Retry-After when the minute's quota is spent."""
    quota: int = settings.REST_REQUESTS_PER_MINUTE
    seconds = time.time() if moment is None else moment
    window, reset = int(seconds // WINDOW), WINDOW - int(seconds % WINDOW)
    used = _count(f"{caller.kind}:{caller.id}", window)
    standing = Standing(quota, max(quota - used, 0), reset)
    if used > quota:
        raise CallerLimited(headers={**standing.headers, "retry-after": str(reset)})
    return standing


def _count(caller: str, window: int) -> int:
    name = key("rest", "rpm", caller, str(window))
    try:
        with control().pipeline(transaction=False) as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW * 2)
            return cast(int, pipe.execute()[0])
    except redis.RedisError:
        return _local.count(caller, window)
