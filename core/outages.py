"""Recognises in an exception that a server we depend on is away; owns which ones say so, renders nothing."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from core.errors import Unavailable
from core.redis.pipe import RedisAway

_DATABASE = (OperationalError, InterfaceError)
_REDIS = (RedisConnectionError, RedisTimeoutError, BrokerError)


class DatabaseAway(Unavailable):
    code = "database_unavailable"
    title = "The database is not reachable"

    def __init__(self) -> None:
        super().__init__(next_step="Try again in a moment", headers={"retry-after": "5"})


def outage_of(error: BaseException | None) -> Unavailable | None:
    """What to tell the caller of an exception that no view expected; None when it is no outage."""
    if isinstance(error, Unavailable):
        return error
    if isinstance(error, _DATABASE):
        return DatabaseAway()
    if isinstance(error, _REDIS):
        return RedisAway()
    return None
