"""Task base classes: a task says for whom it runs, and runs for nobody else.

`TenantTask` takes `tenant_id` as a keyword and enters that tenant's scope around the body; a worker started for one
tenant (LUMOS_WORKER_TENANT) refuses every other id. `PlatformTask` enters the operator's scope. Neither stores
anything on the task object, which threads share.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import structlog
from celery import Task

from core.ids import is_ulid
from core.request_id import current_request_id, request_scope
from core.tenancy.context import (
    NoActiveScope,
    TenantRef,
    WrongTenant,
    clear_scope,
    platform_scope,
    tenant_scope,
)


def queue_of(tenant_id: str) -> str:
    """The Celery queue that only this tenant's own workers read."""
    return f"tenant.{tenant_id}"


def _as_request(task: Task[Any, Any]) -> AbstractContextManager[str]:
    """The run of a task has an id of its own; one that is called as a plain function stays its caller's."""
    return request_scope(f"task_{task.request.id}" if task.request.id else current_request_id())


class TenantTask(Task[Any, Any]):
    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        tenant_id = kwargs.get("tenant_id")
        if not isinstance(tenant_id, str) or not is_ulid(tenant_id):
            raise NoActiveScope(f"Task {self.name} was sent without tenant_id")
        self.check_worker(tenant_id=tenant_id, pinned=os.environ.get("LUMOS_WORKER_TENANT") or "")
        bound = structlog.contextvars.bound_contextvars(tenant=tenant_id)
        with tenant_scope(TenantRef(tenant_id)), bound, _as_request(self):
            return super().__call__(*args, **kwargs)

    def check_worker(self, *, tenant_id: str, pinned: str) -> None:
        """Raises WrongTenant in a worker that was started for another tenant (`pinned`, empty for none)."""
        if pinned not in ("", tenant_id):
            raise WrongTenant(f"Task {self.name} reached the worker of another tenant")

    def apply_async(self, args: Any = None, kwargs: Any = None, **options: Any) -> Any:  # type: ignore[override]
        tenant_id = (kwargs or {}).get("tenant_id")
        if not isinstance(tenant_id, str):
            raise NoActiveScope(f"Task {self.name} needs tenant_id")
        options.setdefault("queue", queue_of(tenant_id))
        return super().apply_async(args, kwargs, **options)


class PlatformTask(Task[Any, Any]):
    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if os.environ.get("LUMOS_WORKER_TENANT"):
            raise WrongTenant(f"Task {self.name} is the platform's and reached a tenant's worker")
        with clear_scope(), platform_scope(), _as_request(self):
            return super().__call__(*args, **kwargs)
