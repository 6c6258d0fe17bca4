"""Who calls the REST API; owns the shape of a caller, not how one is recognised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from rest_framework.request import Request

from core.errors import NotAuthenticated
from core.tenancy import TenantRef


def _none(_permission: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Principal:
    """An operator, one key of one tenant, one member of one tenant, or an operator who acts for a member.

    `tenant` is None for operators. `scopes` are a key's, `permissions` those of a member's role, `has_permission`
    answers for an operator's account. A `read_only` caller may look and not change: of a tenant that is suspended.
    `changes` are the permissions by which a member may change things, None for all that they have: those of an operator
    who acts for somebody (kind `impersonator`) are few, or none.
    """

    kind: str
    id: str
    label: str
    tenant: TenantRef | None = None
    scopes: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    has_permission: Callable[[str], bool] = field(default=_none, compare=False, repr=False)
    read_only: bool = False
    changes: frozenset[str] | None = None

    @property
    def is_operator(self) -> bool:
        return self.kind == "operator"

    @property
    def is_member(self) -> bool:
        return self.kind in ("member", "impersonator")

    @property
    def is_authenticated(self) -> bool:
        """The framework asks this of whatever an authentication class returned."""
        return True

    @property
    def pk(self) -> str:
        return self.id

    def may_see(self, tenant_id: str) -> bool:
        """Whether that tenant exists as far as this caller is concerned."""
        return self.is_operator or (self.tenant is not None and self.tenant.id == tenant_id)


def principal_of(request: Request) -> Principal:
    """The caller; raises NotAuthenticated when nobody is known."""
    caller = cast(object, request.user)
    if not isinstance(caller, Principal):
        raise NotAuthenticated()
    return caller
