"""Whether a module could run apart from the others: what of its imports and references ties it; decides only."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.db import models

from lumos_site.architecture.sources import DOORS, ROOMS, Import, imports_of

_LIBRARY = "core"  # would go along with each part, so importing it ties nobody


def ties_of(room: str) -> dict[str, list[str]]:
    """Modules used through their front doors, imports past a door, and tables of others that it works on directly."""
    taken = [each for each in imports_of(room) if each.room != _LIBRARY]
    return {
        "uses": sorted({each.room for each in taken if each.door in DOORS}),
        "used_by": sorted(other for other in ROOMS if any(each.room == room for each in imports_of(other))),
        "imports_past_the_door": sorted(_place(each) for each in taken if each.door not in DOORS),
        "shared_models": sorted({f"{each.room}.{each.name}" for each in taken if _is_model(each)}),
    }


def _place(found: Import) -> str:
    return f"{found.file}:{found.line} {found.room}.{found.door}"


def _is_model(found: Import) -> bool:
    if found.door != "api" or find_spec(f"{found.room}.api") is None:
        return False
    thing: Any = getattr(import_module(f"{found.room}.api"), found.name, None)
    return isinstance(thing, type) and issubclass(thing, models.Model)


def verdict(ties: dict[str, list[str]], references: list[str]) -> dict[str, Any]:
    """`ready`: messages and calls are all that ties it. `database`: tables are shared. `code`: it reaches inside."""
    blocked_by = [
        *(f"import: {each}" for each in ties["imports_past_the_door"]),
        *(f"model: {each}" for each in ties["shared_models"]),
        *(f"foreign key: {each}" for each in references),
    ]
    level = "code" if ties["imports_past_the_door"] else "database" if blocked_by else "ready"
    return {"level": level, "blocked_by": blocked_by}
