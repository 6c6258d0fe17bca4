"""The fence, and the library's own way that it replaces, behind one face: the same patterns run against both.

`Stock` is django-tenants itself: its database backend in place of ours, its `tenant_context`, its key function for
caches, and its way of shipping a task, which takes the tenant from the connection of whoever sends it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from asgiref.sync import sync_to_async
from celery import Celery
from django.core.cache import cache
from django.db import connection, connections
from django_tenants.cache import make_key as stock_key
from django_tenants.utils import schema_context, tenant_context

from core.tenancy import TenantRef, require_tenant, tenant_scope
from core.tenancy.celery import TenantTask

Read = Callable[[], list[str]]
app = Celery("patterns", broker="memory://", set_as_current=False)
_reads: dict[str, Read] = {}


class Fence(Protocol):
    """How code says for whom it runs."""

    def scope(self, ref: TenantRef) -> AbstractContextManager[Any]: ...

    def enter_for_good(self, ref: TenantRef) -> Coroutine[Any, Any, None]:
        """What a consumer does when it connects."""

    def send_task(self, ref: TenantRef, read: Read) -> Callable[[], list[str]]:
        """The task as it was sent; calling it is what a worker does."""


@app.task(base=TenantTask, name="patterns.read")
def _task(*, tenant_id: str, read: str) -> list[str]:
    assert require_tenant().id == tenant_id
    return _reads[read]()


class Ours:
    def scope(self, ref: TenantRef) -> AbstractContextManager[Any]:
        return tenant_scope(ref)

    async def enter_for_good(self, ref: TenantRef) -> None:
        tenant_scope(ref).__enter__()

    def send_task(self, ref: TenantRef, read: Read) -> Callable[[], list[str]]:
        _reads[read.__name__] = read
        return lambda: _task(tenant_id=ref.id, read=read.__name__)


class Stock:
    def scope(self, ref: TenantRef) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = tenant_context(ref)
        return context

    async def enter_for_good(self, ref: TenantRef) -> None:
        await sync_to_async(lambda: connection.set_tenant(ref))()

    def send_task(self, ref: TenantRef, read: Read) -> Callable[[], list[str]]:
        schema = connection.schema_name  # the tenant is not named: it is whoever the sending connection is set to

        def run() -> list[str]:
            with schema_context(schema):
                return read()

        return run


@contextmanager
def stock_backend() -> Iterator[None]:
    """The library's database backend and key function, in this thread and in every thread that begins inside."""
    ours, kept, key = connections["default"], connections.settings["default"], cache.key_func
    options = {name: value for name, value in kept["OPTIONS"].items() if name != "pool"}
    engine = "django_tenants.postgresql_backend"
    connections.settings["default"] = {**kept, "ENGINE": engine, "OPTIONS": options}
    connections["default"] = connections.create_connection("default")
    cache.key_func = stock_key
    try:
        yield
    finally:
        connections.settings["default"], connections["default"], cache.key_func = kept, ours, key


async def renew_shared_thread() -> None:
    """The thread that all of asgiref shares outlives tests: its connection goes, and the next is of today's kind."""

    def drop() -> None:
        connections.close_all()
        if hasattr(connections._connections, "default"):
            del connections["default"]

    await sync_to_async(drop)()
