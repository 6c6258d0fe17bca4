"""One log line for a server that is away, however many calls fail meanwhile; owns the counting, decides no answer.

While PostgreSQL or Redis is away every task, request and turn of a loop fails for the same reason. The first failure
in a process is told, without its traceback; the others are silent until nothing failed for QUIET_SECONDS.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from core.errors import Unavailable
from core.outages import outage_of

QUIET_SECONDS = 60.0  # more than the half minute that Celery waits at most between two attempts to connect
_failed_at: dict[str, float] = {}
# What the database refuses to one statement while it serves the others: deadlock, serialization, lock and statement
# time-outs. Each is a fault of its own, and is told with its traceback.
_OF_ONE_STATEMENT = {"40001", "40P01", "55P03", "57014"}


def is_news(outage: Unavailable) -> bool:
    """Whether this is the outage's first sign in this process."""
    moment, before = time.monotonic(), _failed_at.get(outage.code)
    _failed_at[outage.code] = moment
    return before is None or moment - before > QUIET_SECONDS


class OneLinePerOutage(logging.Filter):
    """Makes a line of a library's traceback when the reason is an outage, and drops what says the same again."""

    def filter(self, record: logging.LogRecord) -> bool:
        for error in _errors_of(record):
            outage = outage_of(error)
            if outage is not None and _sqlstate(error) not in _OF_ONE_STATEMENT:
                _shorten(record, outage, error)
                return is_news(outage)
        return True


def _errors_of(record: logging.LogRecord) -> Iterator[BaseException]:
    """The exception of the record, and those that a library puts among its arguments instead."""
    raised = record.exc_info[1] if record.exc_info else None
    given = record.args if isinstance(record.args, tuple) else ()
    for error in (raised, *given):
        if not isinstance(error, BaseException):
            continue
        if type(error).__module__ == "celery.beat" and error.__context__ is not None:
            yield error.__context__  # why beat could not send a task; to import its error would cost 8 MB everywhere
        else:
            yield error


def _sqlstate(error: BaseException) -> str | None:
    return getattr(error.__cause__, "sqlstate", None)


def _shorten(record: logging.LogRecord, outage: Unavailable, error: BaseException) -> None:
    reason = str(error).strip().partition("\n")[0]
    record.msg, record.args = "%s, told once until it is back: %s", (outage.code, reason or type(error).__name__)
    record.exc_info = record.exc_text = None
