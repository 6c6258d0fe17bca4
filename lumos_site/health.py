"""Answers `/livez` and `/readyz`: whether this process runs, and whether it reaches what its role needs."""

from __future__ import annotations

from collections.abc import Callable, Container

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection

from core.master_keys import is_sealed
from core.redis import control
from core.tenancy import platform_scope
from lumos_site.wire import Send, send_json
from proxy.asgi import running_gateway
from tenants.api import check_master_keys


class NotServing(Exception):
    """This process would refuse what its role is to serve."""


def _ask_database() -> None:
    try:
        with platform_scope(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
    finally:
        connection.close()


def _ask_redis() -> None:
    control().ping()


def _ask_gateway() -> None:
    gateway = running_gateway()
    if gateway is None or not gateway.ready:
        raise NotServing


def is_sealed_here(role: str, failed: Container[str] = ()) -> bool:
    """Whether the master key is missing. Where a database answers it is asked which key that must be."""
    if role != "gateway" and "database" not in failed:
        try:
            with platform_scope():
                check_master_keys()
        except DatabaseError:
            return is_sealed()
        finally:
            connection.close()
    gateway = running_gateway()
    return is_sealed() or (gateway is not None and gateway.catalogue.sealed)


CHECKS: dict[str, dict[str, Callable[[], None]]] = {
    "gateway": {"redis": _ask_redis, "gateway": _ask_gateway},
    "control": {"database": _ask_database, "redis": _ask_redis},
    "web": {"database": _ask_database, "redis": _ask_redis, "gateway": _ask_gateway},
}


def failures(role: str) -> dict[str, str]:
    """What a process of `role` lacks: name of the check -> kind of failure. Empty when it can serve."""
    failed = {}
    for name, ask in CHECKS[role].items():
        try:
            ask()
        except Exception as error:
            failed[name] = type(error).__name__
    return failed


async def answer_health(path: str, role: str, send: Send) -> None:
    """200 when alive or ready, 503 with the names of what is missing.

    Sealed is told as such. A gateway is of no use then; a process with the control plane in it is, for the operator.
    """
    if path == "/livez":
        await send_json(send, 200, {"status": "ok", "failed": {}})
        return
    failed = await sync_to_async(failures, thread_sensitive=False)(role)
    sealed = await sync_to_async(is_sealed_here, thread_sensitive=False)(role, failed)
    if sealed and role == "gateway":
        failed["master_key"] = "Sealed"
    status = "unavailable" if failed else "sealed" if sealed else "ok"
    await send_json(send, 503 if failed else 200, {"status": status, "failed": failed})
