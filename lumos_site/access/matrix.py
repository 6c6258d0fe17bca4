"""docs/access.md: every role beside every route, written from the code; owns the page's shape, no rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum

from lumos_site.access.roles import AREAS, Area, Level, level_of
from lumos_site.access.routes import Route, routes
from tenants.api import OperatorRole, Permission, Role, allows

_INTRO = """# Who may do what

*Written by `python -m lumos_site.devtools.access write`; `./lumos check` fails when the code says something else.*

Roles are fixed in code: no page widens one. A member of a tenant has one role in it, an operator has one on the
platform. Each route names what it asks for, and a route that names nothing fails a test. Groups and permissions of
single accounts, as Django knows them, mean nothing here.

A tenant's key has scopes instead of a role. Whoever makes a key gives it no scope that opens more than they may
themselves.
"""
_LEVELS = {Level.NOTHING: "", Level.VIEW: "look", Level.CHANGE: "change", Level.DELETE: "all"}


def page() -> str:
    """The whole document."""
    found = routes()
    parts = [_INTRO, *_roles(), *_surfaces(found)]
    return "\n".join(parts).rstrip() + "\n"


def _roles() -> Iterator[str]:
    yield "## Roles of a tenant's members\n"
    yield _table(
        ["permission", *_names(Role)],
        ([_code(each), *_marks(Role, [role for role in Role if allows(role, each)])] for each in Permission),
    )
    yield "## Roles of operators\n"
    yield _table(
        ["area", *_names(OperatorRole), "tables"],
        (
            [area, *(_LEVELS[level_of(role, area)] for role in OperatorRole), ", ".join(sorted(AREAS[area]))]
            for area in Area
        ),
    )


def _surfaces(found: Sequence[Route]) -> Iterator[str]:
    yield "## The portal, on a tenant's host\n"
    yield _table(
        ["route", "asks for", *_names(Role)],
        ([_code(row.path), _code(row.asks), *_marks(Role, row.members)] for row in _of(found, "portal")),
    )
    yield "## REST, on both hosts\n"
    yield _table(
        ["method", "route", "asks for (operator / member)", *_names(OperatorRole), "key's scope", *_names(Role)],
        (
            [
                row.method,
                _code(row.path.replace("str:", "")),
                _code(row.asks),
                *_marks(OperatorRole, row.operators),
                _code(row.scope),
                *_marks(Role, row.members),
            ]
            for row in _of(found, "rest")
        ),
    )
    yield "## The operators' admin\n"
    yield _table(
        ["route", "asks for", *_names(OperatorRole)],
        (
            [_code(row.path.replace("path:", "")), row.asks, *_marks(OperatorRole, row.operators)]
            for row in _of(found, "admin")
        ),
    )
    yield "## Open to everybody\n"
    yield _table(["route", "because it is"], ([_code(row.path), row.open_because] for row in _of(found, "open")))


def _of(found: Sequence[Route], surface: str) -> list[Route]:
    """The rows of one surface, each once, in the order of their paths."""
    return sorted(dict.fromkeys(row for row in found if row.surface == surface), key=lambda row: (row.path, row.method))


def _names(roles: type[StrEnum]) -> list[str]:
    return [role.value.lower().replace("_", "-") for role in roles]


def _marks(roles: type[StrEnum], held: Collection[StrEnum]) -> list[str]:
    return ["✓" if role in held else "" for role in roles]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
