"""Puts the map together: contract, data scope, health, metrics and readiness of each module."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from django.db import connection

from core.redis import control
from lumos_site.architecture import contract, readiness, scope
from lumos_site.architecture.sources import ROOMS, imports_of, metrics_of

Probe = Callable[[], None]


def multitenant_plan() -> dict[str, Any]:
    """The map as it is at this moment; the servers are asked, the code is read once."""
    probes = {"database": _probed(_ask_database), "redis": _probed(_ask_redis)}
    fences = scope.read_fences() if probes["database"]["ok"] else {}
    return {"modules": [_module(room, probes, fences) for room in ROOMS], "probes": probes}


def _module(room: str, probes: dict[str, Any], fences: dict[str, tuple[bool, list[str]]]) -> dict[str, Any]:
    functions, types = contract.front_door(room)
    published, subscribed = contract.events(room)
    ties, tables = readiness.ties_of(room), scope.tables_of(room, fences)
    needs = _needs(room, bool(tables))
    failed = [name for name in needs if not probes[name]["ok"]]
    return {
        "name": room,
        "purpose": _purpose(room),
        "contract": {
            "functions": functions,
            "types": types,
            "events_published": published,
            "events_subscribed": subscribed,
            "routes": contract.routes(room),
            "tasks": contract.tasks(room),
        },
        "data_scope": tables,
        "health": {"status": "down" if failed else "ok", "needs": needs, "failed": failed},
        "metrics": [
            {"name": each.name, "labels": list(each.labels), "by_tenant": each.by_tenant} for each in metrics_of(room)
        ],
        "uses": ties["uses"],
        "used_by": ties["used_by"],
        "split": readiness.verdict(ties, scope.foreign_keys(room)),
    }


def _needs(room: str, has_tables: bool) -> list[str]:
    """The servers that the module talks with: by its tables, and by what it imports."""
    asks_redis = any(each.room == "core" and each.door in ("redis", "changes") for each in imports_of(room))
    return [name for name, needed in (("database", has_tables), ("redis", asks_redis or room == "core")) if needed]


def _purpose(room: str) -> str:
    """The first sentence of its front door, or of the package."""
    for name in (f"{room}.api", room):
        try:
            text = (import_module(name).__doc__ or "").strip()
        except ModuleNotFoundError:
            continue
        if text:
            return text.split("\n\n")[0].replace("\n", " ")
    return ""


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_redis() -> None:
    control().ping()


def _probed(ask: Probe) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        ask()
    except Exception as error:  # whatever the server does wrong is the answer
        return {"ok": False, "ms": _since(began), "fault": type(error).__name__}
    return {"ok": True, "ms": _since(began), "fault": ""}


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 2)
