"""Whose code is running: one ContextVar, read by the database backend, the caches, the tasks and the sockets.

There are three states. *No scope*: every query raises. *Platform*: the operator's view, the login role on the
public schema. *Tenant*: the tenant's own PostgreSQL role, its schema first, row level security on the rest.
asgiref copies the context into its threads and back, so the answer is the same in a coroutine, in
`sync_to_async` and in a task made from either. A thread that copies no context has no scope, and fails closed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import ParamSpec, TypeVar

from core.errors import LumosError, PermissionRefused

P = ParamSpec("P")
R = TypeVar("R")

PUBLIC = "public"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


class NoActiveScope(LumosError):
    code = "no_active_scope"
    title = "Database used outside tenant_scope() and platform_scope(); refusing to guess"


class WrongTenant(PermissionRefused):
    code = "wrong_tenant"
    title = "This process or scope belongs to another tenant"


@dataclass(frozen=True, slots=True)
class TenantRef:
    """What the lower floors may know of a tenant. `id` is a ULID; schema and role share one name made of it."""

    id: str
    slug: str = ""
    name: str = ""

    @property
    def schema_name(self) -> str:
        return f"t_{self.id}"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a connection must be set to: `role` None stands for the login role, the owner of the tables."""

    schema_name: str
    role: str | None = None
    include_public: bool = True
    tenant: TenantRef | None = None

    @property
    def statement(self) -> str:
        return _statement(self.schema_name, self.role, self.include_public)


@lru_cache(maxsize=4096)
def _statement(schema: str, role: str | None, include_public: bool) -> str:
    for name in filter(None, (schema, role)):
        if _NAME.fullmatch(name) is None:
            raise NoActiveScope(f"{name!r} cannot name a schema or role")
    path = f'"{schema}"' if schema == PUBLIC or not include_public else f'"{schema}", {PUBLIC}'
    return f"SELECT set_config('search_path', '{path}', false), set_config('role', '{role or 'none'}', false)"


PLATFORM = Scope(PUBLIC)
_scope: ContextVar[Scope | None] = ContextVar("lumos_scope", default=None)


def active_scope() -> Scope | None:
    """For the database backend: what this context may see, None when nothing was entered."""
    return _scope.get()


def set_scope(scope: Scope | None) -> Token[Scope | None]:
    """For the database backend and process start only; everybody else uses the context managers."""
    return _scope.set(scope)


class _Entered:
    """A context manager, plain and async, that enters one scope and always restores the one before."""

    __slots__ = ("_scope", "_tokens")

    def __init__(self, scope: Scope | None) -> None:
        self._scope = scope
        self._tokens: list[Token[Scope | None]] = []

    def __enter__(self) -> Scope | None:
        self._tokens.append(_scope.set(self._scope))
        return self._scope

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _scope.reset(self._tokens.pop())

    async def __aenter__(self) -> Scope | None:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def tenant_scope(tenant: TenantRef) -> _Entered:
    """Run the block as `tenant`: its role, its schema. Leave with lists or data objects, never a lazy QuerySet."""
    return _Entered(Scope(tenant.schema_name, role=tenant.schema_name, tenant=tenant))


def platform_scope() -> _Entered:
    """Run the block as the operator: all tenants' rows in public, no tenant's own schema."""
    return _Entered(PLATFORM)


def schema_scope(schema_name: str, *, include_public: bool = True) -> _Entered:
    """Run the block as the owner inside one schema; for provisioning and migrations only."""
    return _Entered(Scope(schema_name, include_public=include_public))


def clear_scope() -> _Entered:
    """Run the block without any scope, whatever the surrounding code had entered."""
    return _Entered(None)


def enter_platform_process() -> None:
    """Make platform the scope of this whole process, for the ones that serve operators only, such as beat."""
    _scope.set(PLATFORM)


def current_tenant() -> TenantRef | None:
    scope = _scope.get()
    return scope.tenant if scope else None


def require_tenant() -> TenantRef:
    """The active tenant; raises NoActiveScope when there is none."""
    tenant = current_tenant()
    if tenant is None:
        raise NoActiveScope("This code needs a tenant and none is active")
    return tenant


def run_in_tenant(tenant: TenantRef, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`function(*args)` as `tenant`, in this thread; the form to hand to `sync_to_async`."""
    with tenant_scope(tenant):
        return function(*args, **kwargs)
