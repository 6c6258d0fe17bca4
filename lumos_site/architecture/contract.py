"""What a module promises to the others: functions and types of its front door, events, routes and tasks."""

from __future__ import annotations

import inspect
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from core.events import event_types, handlers_of_type, name_of, subscriptions_to_all
from lumos_site.access.routes import rest_views
from lumos_site.celery import app


@cache
def front_door(room: str) -> tuple[list[dict[str, str]], list[str]]:
    """(functions with signature and first sentence, names of types and constants) that `<room>.api` offers."""
    if find_spec(f"{room}.api") is None:
        return [], []
    module = import_module(f"{room}.api")
    offered = {name: getattr(module, name) for name in module.__all__}
    functions = [
        {"name": name, "signature": str(inspect.signature(thing)), "says": _sentence(thing)}
        for name, thing in offered.items()
        if inspect.isfunction(thing)
    ]
    return functions, [name for name, thing in offered.items() if not inspect.isfunction(thing)]


def _sentence(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ")


def events(room: str) -> tuple[list[str], list[dict[str, str]]]:
    """(types that the module publishes, what it listens to and by which function)."""
    types = event_types()
    published = sorted(name for name, kind in types.items() if _room(kind) == room)
    heard = [
        {"event": name, "handler": name_of(handler)}
        for name in sorted(types)
        for handler in handlers_of_type(name)
        if _room(handler) == room
    ]
    everything = [{"event": "*", "handler": name_of(each)} for each in subscriptions_to_all() if _room(each) == room]
    return published, heard + everything


def routes(room: str) -> list[str]:
    """`METHOD /path` of each REST route that the module answers."""
    return sorted(f"{method} /{path}" for path, view, method in rest_views() if _room(view) == room)


def tasks(room: str) -> list[str]:
    app.loader.import_default_modules()
    return sorted(name for name, task in app.tasks.items() if _room(type(task)) == room or name.startswith(f"{room}."))


def _room(thing: Any) -> str:
    return str(thing.__module__).partition(".")[0]
