"""The control side of the local backend: orders out, reports in; owns no process."""

from __future__ import annotations

from collections.abc import Mapping

import redis

from core.redis import control
from scaling.backends.local import store
from scaling.data import Fleet, Target
from scaling.errors import BackendAway


class LocalBackend:
    def publish(self, targets: Mapping[str, Target]) -> None:
        try:
            store.write_targets(control(), targets)
        except redis.RedisError as error:
            raise BackendAway() from error

    def fleet(self) -> Fleet | None:
        try:
            return store.read_report(control())
        except redis.RedisError as error:
            raise BackendAway() from error

    def forget(self, tenant_id: str) -> None:
        try:
            store.forget_target(control(), tenant_id)
        except redis.RedisError as error:
            raise BackendAway() from error
