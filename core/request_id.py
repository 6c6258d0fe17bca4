"""The id that ties together what one request, task or command did: its log lines, its audit entries, its answer.

It lives among structlog's context variables, so that coroutines and asgiref's threads inherit it with the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from core.ids import new_ulid, prefixed

HEADER = "x-request-id"
_SHAPE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current_request_id() -> str:
    """The id of what is running now; empty outside of any request, task and command."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


def new_request_id(kind: str = "req") -> str:
    """A fresh id such as `req_01k…`; tasks have `task_…`, commands `cmd_…`."""
    return prefixed(kind, new_ulid())


@contextmanager
def request_scope(given: str = "") -> Iterator[str]:
    """Run the block under the `given` id, or under a fresh one when that is missing or of no usable shape."""
    chosen = given if _SHAPE.fullmatch(given) else new_request_id()
    with structlog.contextvars.bound_contextvars(request_id=chosen):
        yield chosen


def enter_request(kind: str) -> None:
    """Give the whole rest of this process one id; for commands."""
    structlog.contextvars.bind_contextvars(request_id=new_request_id(kind))
