"""House rules that the linter does not know, each a function from a syntax tree to complaints."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Complaints = Iterator[tuple[int, str]]
FILE_WALL, TEST_WALL, FUNCTION_WALL = 400, 600, 40
_SWITCHES = {"schema_context", "tenant_context", "set_tenant", "set_schema", "set_schema_to_public"}
_CONNECTION = {"connection", "connections"}


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def no_library_switch(tree: ast.AST) -> Complaints:
    """Only core.tenancy switches tenants: the library's own switches leak between coroutines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node.func) in _SWITCHES:
            yield node.lineno, f"{_name(node.func)}() bypasses core.tenancy; use tenant_scope or platform_scope"
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("tenant", "schema_name")
            and _name(node.value) in _CONNECTION
        ):
            yield node.lineno, f"connection.{node.attr} is not to be read; use core.tenancy.current_tenant()"


def no_with_tenant(tree: ast.AST) -> Complaints:
    """`with tenant:` keeps the former tenant in a list shared by all threads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if _name(item.context_expr) in ("tenant", "ref"):
                    yield node.lineno, "use `with tenant_scope(tenant):`"


def no_database_in_coroutines(tree: ast.AST) -> Complaints:
    """`connection` inside a coroutine is the event loop's, another object than the one that queries use."""
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.db"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Name) and inner.id in _CONNECTION & imported:
                    yield inner.lineno, "django.db.connection in a coroutine; put it in one sync function"


def no_clock_below_the_rim(tree: ast.AST) -> Complaints:
    """Time is passed in; `datetime.now` and `timezone.now` are called in core.clock only."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in ("now", "utcnow", "today") and _name(node.func.value) in ("datetime", "timezone", "date"):
            yield node.lineno, "take `now` as an argument, or call core.clock.utc_now() at the rim"


def short_functions(tree: ast.AST) -> Complaints:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_WALL:
                yield node.lineno, f"{node.name} has {length} lines; the wall is {FUNCTION_WALL}"


def module_says_what_it_owns(tree: ast.AST) -> Complaints:
    assert isinstance(tree, ast.Module)
    if tree.body and not ast.get_docstring(tree):
        yield 1, "a module starts with one sentence: what it owns"


def no_page_cache(tree: ast.AST) -> Complaints:
    """Whole-page caches serve one account's page to another."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and _name(node) in ("cache_page", "UpdateCacheMiddleware"):
            yield node.lineno, "whole pages are never cached"


def no_yield_inside_a_scope(tree: ast.AST) -> Complaints:
    """A generator runs in its consumer's context: two that are taken by turns would see each other's tenant."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or _is_context_manager(function):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.With | ast.AsyncWith) and any(_enters_scope(item) for item in node.items):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Yield | ast.YieldFrom):
                        yield inner.lineno, "read inside the scope, and yield outside of it"


def _enters_scope(item: ast.withitem) -> bool:
    call = item.context_expr
    scopes = ("tenant_scope", "platform_scope", "schema_scope", "clear_scope")
    return isinstance(call, ast.Call) and _name(call.func) in scopes


def _is_context_manager(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(_name(each) in ("contextmanager", "asynccontextmanager") for each in function.decorator_list)


@dataclass(frozen=True, slots=True)
class Rule:
    """A check with an example of each kind, so that the rule itself is tested."""

    check: Callable[[ast.AST], Complaints]
    good: str
    bad: str
    exempt: tuple[str, ...] = ()


RULES = (
    Rule(
        no_library_switch,
        "with tenant_scope(ref):\n    pass",
        "with schema_context('x'):\n    print(connection.tenant)",
        exempt=("core/tenancy/",),
    ),
    Rule(no_with_tenant, "with tenant_scope(tenant):\n    pass", "with tenant:\n    pass"),
    Rule(
        no_database_in_coroutines,
        "async def f():\n    await sync_to_async(read)()",
        "from django.db import connection\nasync def f():\n    connection.close()",
    ),
    Rule(
        no_clock_below_the_rim,
        "def f(now):\n    return now",
        "def f():\n    return datetime.now(tz=UTC)",
        exempt=("core/clock.py",),
    ),
    Rule(short_functions, "def f():\n    pass", "def f():\n" + "    x = 1\n" * 41),
    Rule(module_says_what_it_owns, '"""Owns x."""\nx = 1', "x = 1", exempt=("/apps.py", "/migrations/")),
    Rule(
        no_yield_inside_a_scope,
        "@contextmanager\ndef f():\n    with tenant_scope(ref):\n        yield",
        "def f():\n    with tenant_scope(ref):\n        yield 1",
    ),
    Rule(no_page_cache, "def view(request):\n    pass", "@cache_page(60)\ndef view(request):\n    pass"),
)
