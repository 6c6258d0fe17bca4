"""The only reading of the wall clock; below the interface layer, `now` is passed in."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(tz=UTC)
