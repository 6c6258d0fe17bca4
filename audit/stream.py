"""Publishes that something happened to the stream that all processes follow; what it was, they read for themselves."""

from __future__ import annotations

from core.changes import tell_change
from core.events import DomainEvent, subscribe_to_all


@subscribe_to_all
def publish(event: DomainEvent) -> None:
    """The event's type and whose it is. Fails while Redis is away, and the outbox repeats it."""
    tell_change(event.type_name, str(getattr(event, "tenant_id", "")))
