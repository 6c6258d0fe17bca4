"""Many callers at once in one process: what the tests of parallel allocation start several times."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

from core.tenancy import platform_scope

T = TypeVar("T")


def together(callers: int, call: Callable[[int], T]) -> list[T]:
    """What `call(number)` gave each of them; they begin at the same moment."""
    ready = threading.Barrier(callers)

    def caller(number: int) -> T:
        with platform_scope():
            try:
                ready.wait(60)
                return call(number)
            finally:
                connections.close_all()

    with ThreadPoolExecutor(callers) as pool:
        return list(pool.map(caller, range(callers)))
