"""Operators who act for somebody on a tenant's host: lets them in, keeps them from changing things, puts them out.

Stands between the accounts and MembershipMiddleware, which believes what it puts on the request.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from core.clock import utc_now
from core.rest.access import SAFE, NotWhileActing
from core.rest.problems import plain_problem
from tenants.data import ImpersonationEnd
from tenants.errors import ImpersonationOver
from tenants.impersonation import SESSION, Visit, actor_of, impersonation_on, over_because, visit_of
from tenants.middleware import GetResponse
from tenants.models import Tenant
from tenants.roles import visitor_may_change
from tenants.services.impersonation import end_impersonation

_REST = "/api/"  # has a check of its own, by the caller's `changes`
# What may always be sent, read-only or not.
_ALWAYS = ("/impersonation/ask/", "/impersonation/leave/", "/i18n/setlang/")


class VisitMiddleware:
    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        tenant: Tenant | None = getattr(request, "tenant", None)
        impersonation_id = request.session.get(SESSION) if tenant is not None else None
        if tenant is None or impersonation_id is None:
            return self._get_response(request)
        try:
            visit = _look_again(request, tenant, impersonation_id)
        except ImpersonationOver as error:
            return _tell(request, error)
        request.impersonation = visit  # type: ignore[attr-defined]
        request.user = visit.account
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: object, kwargs: object
    ) -> HttpResponse | None:
        """The one place where an operator who acts for somebody is kept from changing things; REST has its own."""
        visit: Visit | None = getattr(request, "impersonation", None)
        if visit is None or request.path.startswith(_REST):
            return None
        if not (private := getattr(view, "private", False)):
            if request.method in SAFE or request.path in _ALWAYS:
                return None
            if visitor_may_change(getattr(view, "permission", ""), raised=visit.row.is_raised):
                return None
        return render(request, "errors/403.html", {"error": _refusal(private, visit)}, status=403)


def _refusal(private: bool, visit: Visit) -> NotWhileActing:
    if private or visit.row.is_raised:
        return NotWhileActing(_("This is closed to operators who act for somebody."))
    return NotWhileActing(_("You act for somebody, and may only look."))


def _look_again(request: HttpRequest, tenant: Tenant, impersonation_id: str) -> Visit:
    """The visit that this browser is in. Raises ImpersonationOver, after its end was written down."""
    now, row = utc_now(), impersonation_on(tenant, impersonation_id)
    why = over_because(row, now) if row else ImpersonationEnd.ENDED
    if row is not None and why is None:
        return visit_of(row)
    request.session.flush()
    if row is None or why is None:
        raise ImpersonationOver()
    end_impersonation(impersonation_id=row.id, why=why, acting=actor_of(row), now=now)
    row.end_reason = why
    raise ImpersonationOver(row.get_end_reason_display())


def _tell(request: HttpRequest, error: ImpersonationOver) -> HttpResponse:
    if request.path.startswith(_REST):
        return plain_problem(error, request.path)
    return render(request, "errors/impersonation_over.html", {"why": error.message}, status=403)
