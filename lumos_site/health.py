"""Answers `/livez` and `/readyz`: whether this process runs, and whether it reaches what its role needs."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connection

from core.redis import control
from core.tenancy import platform_scope

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def _ask_database() -> None:
    try:
        with platform_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    finally:
        connection.close()


def _ask_redis() -> None:
    control().ping()


CHECKS: dict[str, Callable[[], None]] = {"database": _ask_database, "redis": _ask_redis}


def checks_of(role: str) -> list[str]:
    """What a process of `role` cannot serve without. The gateway asks no database."""
    return ["redis"] if role == "gateway" else ["database", "redis"]


def _failures(role: str) -> dict[str, str]:
    failed = {}
    for name in checks_of(role):
        try:
            CHECKS[name]()
        except Exception as error:
            failed[name] = type(error).__name__
    return failed


async def answer_health(path: str, role: str, send: Send) -> None:
    """200 when alive or ready, 503 with the names of what is missing."""
    failed = {} if path == "/livez" else await sync_to_async(_failures, thread_sensitive=False)(role)
    body = json.dumps({"status": "unavailable" if failed else "ok", "failed": failed}).encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 503 if failed else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
