"""What the source says of a module: whom it imports, and which metrics it declares. Read once in a process's life."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.conf import ROOT

ROOMS = (
    "core",
    "audit",
    "mail",
    "accounts",
    "tenants",
    "quotas",
    "billing",
    "scaling",
    "proxy",
    "portal",
    "lumos_site",
)
DOORS = frozenset({"api", "data"})
_METRICS = frozenset({"Counter", "Gauge", "Histogram", "Summary"})
_FAMILY = "MetricFamily"


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a file takes from another module; `door` is the part of that module which it enters by."""

    file: str
    line: int
    room: str
    door: str
    name: str


@dataclass(frozen=True, slots=True)
class DeclaredMetric:
    name: str
    labels: tuple[str, ...]

    @property
    def by_tenant(self) -> bool:
        return bool({"tenant", "tenant_id"} & set(self.labels))


@cache
def trees_of(room: str) -> tuple[tuple[str, ast.Module], ...]:
    """Each file of the module with its syntax tree; migrations are history and left out."""
    files = (path for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts)
    return tuple((_relative(path), ast.parse(path.read_text())) for path in files)


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def imports_of(room: str) -> tuple[Import, ...]:
    """What the module takes from the others."""
    return tuple(
        Import(file, line, other, door, name)
        for file, tree in trees_of(room)
        for line, other, door, name in _imports(tree)
        if other in ROOMS and other != room
    )


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            room, *rest = node.module.split(".")
            for alias in node.names:
                yield node.lineno, room, rest[0] if rest else alias.name, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                room, *rest = alias.name.split(".")
                yield node.lineno, room, rest[0] if rest else "", alias.name


@cache
def metrics_of(room: str) -> tuple[DeclaredMetric, ...]:
    """Every metric that a file of the module declares, by name."""
    found = {metric.name: metric for _file, tree in trees_of(room) for metric in _metrics(tree)}
    return tuple(found[name] for name in sorted(found))


def _metrics(tree: ast.Module) -> Iterator[DeclaredMetric]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        name = node.args[0]
        if not (node.func.id in _METRICS or node.func.id.endswith(_FAMILY)) or not isinstance(name, ast.Constant):
            continue
        lists = [*node.args[1:], *(word.value for word in node.keywords if word.arg in ("labels", "labelnames"))]
        labels = (_texts(each) for each in lists if isinstance(each, ast.List | ast.Tuple))
        yield DeclaredMetric(str(name.value), next(labels, ()))


def _texts(node: ast.List | ast.Tuple) -> tuple[str, ...]:
    return tuple(str(each.value) for each in node.elts if isinstance(each, ast.Constant))
