"""Who may call which method of a view: a table on each view, read here; a method that is not in it is closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.errors import PermissionRefused
from core.rest.principal import Principal, principal_of

if TYPE_CHECKING:
    from rest_framework.views import APIView

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """What one method asks of each kind of caller.

    `permission` is an operator's; an empty one lets any operator in. `scope` is what a tenant's key needs, `member`
    what the role of a tenant's member must include. None keeps that kind of caller out.
    """

    permission: str | None = ""
    scope: str | None = None
    member: str | None = None


class ScopeMissing(PermissionRefused):
    code = "scope_missing"
    title = "This key may not do this"


class ReadOnly(PermissionRefused):
    code = "tenant_suspended"
    title = "This tenant is suspended, so its keys and members may only read"


class NotWhileActing(PermissionRefused):
    code = "not_while_acting"
    title = "This is closed to an operator who acts for somebody"


class DeclaredAccess(BasePermission):
    """Reads the view's `access` table."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        table: dict[str, Access] = getattr(view, "access", {})
        method = "GET" if request.method in ("HEAD", "OPTIONS") else str(request.method)
        rule = table.get(method)
        caller = principal_of(request)
        if rule is None and request.method == "OPTIONS":
            rule = next(iter(table.values()), None)  # what a view is about is told to whom it may serve
        if rule is None:
            return method not in view.allowed_methods  # a method that the view lacks is answered with 405
        _check(rule, caller, safe=request.method in SAFE)
        return True


def _check(rule: Access, caller: Principal, *, safe: bool) -> None:
    if caller.is_operator:
        _check_operator(rule, caller)
    elif caller.is_member:
        _check_member(rule, caller, safe=safe)
    else:
        _check_key(rule, caller)
    if caller.read_only and not safe:
        raise ReadOnly()


def _check_operator(rule: Access, caller: Principal) -> None:
    if rule.permission is None:
        raise PermissionRefused(_("Only members of a tenant may do this."))
    if rule.permission and not caller.has_permission(rule.permission):
        raise PermissionRefused(_("Your account lacks the permission %(name)s.") % {"name": rule.permission})


def _check_member(rule: Access, caller: Principal, *, safe: bool) -> None:
    if rule.member is None:
        raise PermissionRefused(_("Only operators may do this."))
    if rule.member not in caller.permissions:
        raise PermissionRefused(_("Your role lacks the permission %(name)s.") % {"name": rule.member})
    if not safe and caller.changes is not None and rule.member not in caller.changes:
        raise NotWhileActing()


def _check_key(rule: Access, caller: Principal) -> None:
    if rule.scope is None:
        raise PermissionRefused(_("Keys may not do this; operators or members may."))
    if rule.scope not in caller.scopes:
        raise ScopeMissing(
            _("This key lacks the scope %(name)s.") % {"name": rule.scope},
            next_step=_("Create a key with that scope."),
        )
