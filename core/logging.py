"""Structured logs: constant event text, facts as fields; owns the format, the scrubbing of keys and who is quiet."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_LEVELS = {
    "celery.app.trace": logging.WARNING,
    "celery.beat": logging.WARNING,
    "celery.worker.strategy": logging.WARNING,
    "django.security.DisallowedHost": logging.CRITICAL,  # a traceback for each request with a wrong Host
    "psycopg.pool": logging.ERROR,  # warns of each attempt to connect; who asked in vain says so once
    "uvicorn.error": logging.WARNING,
}
_NONSENSE = (
    "Invalid HTTP request received",
    "Unsupported upgrade request",
    "ASGI callable returned without completing handshake",  # uvicorn's word for a websocket refused with a status
    "Invalid UTF-8 sequence received from client",
)
_KEY = re.compile(r"\b(lum_(?:live|test|oper|tok|refr)_|sk-|eyJ(?=[\w-]+\.[\w-]+\.))[A-Za-z0-9_\-\.]{6,}")


# What opens an account or a tenant once stands in the path of a link: of invitations, visits by operators, letters.
_LINK = re.compile(r"((?:/|%2F)(?:join|impersonation|sign-in(?:/|%2F)(?:reset|address))(?:/|%2F))[\w.~-]{16,}", re.I)


def scrub(text: str) -> str:
    """The text with every credential cut to its recognisable prefix, that of a link to what stands before it."""
    return _LINK.sub(r"\1[hidden]", _KEY.sub(r"\1[hidden]", text))


def _scrub_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = scrub(value)
    return event


class ScrubFormatter(logging.Formatter):
    """Hides credentials in what libraries write, their tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Not what anybody can make a server write without end, by sending nonsense to it."""
    return not str(record.msg).startswith(_NONSENSE)


def configure_libraries(*filters: logging.Filter) -> None:
    """Sends what libraries log to standard error; call it once in each process that serves or works."""
    handler = logging.StreamHandler()
    handler.setFormatter(ScrubFormatter("%(levelname)s %(name)s %(message)s"))
    handler.addFilter(_is_worth_a_line)
    for of_lines in filters:
        handler.addFilter(of_lines)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)


def configure(*, level: str = "INFO", as_json: bool = False) -> None:
    """Sets up structlog for this process; console lines for people, JSON for machines."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _scrub_fields,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
