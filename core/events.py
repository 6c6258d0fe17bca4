"""Domain events: the types and who listens; the outbox that carries them is `audit`'s.

An event is a frozen dataclass whose fields are JSON values. Delivery is after commit, to each handler by itself, at
least once and in no certain order: a handler must be able to run twice, and reads the present state rather than
believing the event's picture of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, TypeVar


@dataclass(frozen=True, slots=True)
class DomainEvent:
    """Base of all events; `type_name` is stored, so it never changes once released."""

    type_name: ClassVar[str] = ""

    def payload(self) -> dict[str, Any]:
        return asdict(self)


E = TypeVar("E", bound=DomainEvent)
Handler = Callable[[Any], None]
_everybodys: list[Handler] = []
_types: dict[str, type[DomainEvent]] = {}
_handlers: dict[str, list[Handler]] = defaultdict(list)


def event_type(name: str) -> Callable[[type[E]], type[E]]:
    """Class decorator that registers an event type under its stored name, such as `tenants.tenant-changed`."""

    def register(cls: type[E]) -> type[E]:
        if _types.setdefault(name, cls) is not cls and _types[name].__qualname__ != cls.__qualname__:
            raise ValueError(f"{name} is taken by {_types[name].__qualname__}")
        cls.type_name = name
        return cls

    return register


def subscribe(event: type[E]) -> Callable[[Callable[[E], None]], Callable[[E], None]]:
    """Decorator: call the function with each event of that type, after commit, at least once."""

    def register(handler: Callable[[E], None]) -> Callable[[E], None]:
        if handler not in _handlers[event.type_name]:
            _handlers[event.type_name].append(handler)
        return handler

    return register


def subscribe_to_all(handler: Callable[[DomainEvent], None]) -> Callable[[DomainEvent], None]:
    """Decorator: call the function with each event of every type, after commit, at least once."""
    if handler not in _everybodys:
        _everybodys.append(handler)
    return handler


def event_types() -> dict[str, type[DomainEvent]]:
    """Every type that this process knows, by its stored name."""
    return dict(_types)


def revive(name: str, payload: dict[str, Any]) -> DomainEvent:
    """The event object of a stored row; raises KeyError for a type that no longer exists."""
    return _types[name](**payload)


def handlers_of(event: DomainEvent) -> dict[str, Handler]:
    """Who listens, by a name under which the outbox remembers that it was reached."""
    return {name_of(handler): handler for handler in (*_handlers[event.type_name], *_everybodys)}


def handlers_of_type(name: str) -> list[Handler]:
    """Who listens to that type alone."""
    return list(_handlers.get(name, ()))


def subscriptions_to_all() -> list[Handler]:
    """Who listens to everything."""
    return list(_everybodys)


def name_of(handler: Handler) -> str:
    return f"{handler.__module__}.{handler.__qualname__}"
