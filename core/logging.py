"""Structured logs: constant event text, facts as fields; owns the format and the scrubbing of keys."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import structlog

_KEY = re.compile(r"\b(lum_(?:live|test|oper|tok)_|sk-)[A-Za-z0-9_\-\.]{6,}")


def scrub(text: str) -> str:
    """The text with every credential cut to its recognisable prefix."""
    return _KEY.sub(r"\1[hidden]", text)


def _scrub_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = scrub(value)
    return event


class ScrubFilter(logging.Filter):
    """Hides credentials in lines that libraries write."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        cleaned = scrub(message)
        if cleaned != message:
            record.msg, record.args = cleaned, None
        return True


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
