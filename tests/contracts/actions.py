"""Which entries of the audit log a piece of code can write, read from its source: calls are followed by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from core.conf import ROOT

ROOMS = ("audit", "mail", "tenants", "accounts", "quotas", "billing", "scaling", "proxy", "portal", "lumos_site")
_ACTION = re.compile(r"[a-z][a-z_]*\.[a-z][a-z_]*")
_RECORDS = {"record", "tell", "_tell"}  # what writes an entry: the log's own door, and the rooms' short forms of it


def modules() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), tree_of(path)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def functions() -> dict[str, dict[str, ast.FunctionDef]]:
    """Top-level functions by name and by file."""
    found: dict[str, dict[str, ast.FunctionDef]] = {}
    for path, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, {})[path] = node
    return found


def writers() -> dict[str, str]:
    """Every public function that acts for somebody, or stands in a module of services: `name` to its file."""
    return {
        node.name: path
        for path, tree in modules()
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
        if "services" in path or any(argument.arg == "acting" for argument in node.args.kwonlyargs)
    }


def actions_of(node: ast.AST, path: str) -> frozenset[str]:
    """The actions that this code can record, itself or through what it calls; each function is looked at once."""
    found: set[str] = set()
    waiting, met = [(node, path)], {id(node)}
    while waiting:
        piece, where = waiting.pop()
        called, actions = _said(piece, where)
        next_ones = [
            (function, other) for name in called - _RECORDS for other, function in _of_name(name, where).items()
        ]
        if called & _RECORDS or any(_records(function) for function, _ in next_ones):
            found |= actions
        waiting += [each for each in next_ones if id(each[0]) not in met]
        met |= {id(function) for function, _ in next_ones}
    return frozenset(found)


@cache
def _said(node: ast.AST, path: str) -> tuple[frozenset[str], frozenset[str]]:
    """What a piece of code calls or hands on by name, and which names of actions stand in it."""
    called = {_name(inner.func) for inner in ast.walk(node) if isinstance(inner, ast.Call)}
    called |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}  # handed on as a value
    texts = _texts(node).union(*(_texts(constants(path).get(name)) for name in called))
    return frozenset(called), frozenset(text for text in texts if _ACTION.fullmatch(text))


def _texts(node: ast.AST | None) -> set[str]:
    values = (inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)) if node else ()
    return {value for value in values if isinstance(value, str)}


@cache
def constants(path: str) -> dict[str, ast.AST]:
    """What stands at the top of a file under a name of its own."""
    file = ROOT / path
    return {
        target.id: node
        for node in (tree_of(file).body if file.exists() else ())
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


@cache
def _records(function: ast.AST) -> bool:
    return any(isinstance(inner, ast.Call) and _name(inner.func) in _RECORDS for inner in ast.walk(function))


def _of_name(name: str, path: str) -> dict[str, ast.FunctionDef]:
    known = functions().get(name, {})
    if path in known:
        return {path: known[path]}
    return {} if name.startswith("_") else known


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
