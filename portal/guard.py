"""The door of every page: members only, by permission, and anticipated errors as pages a person can act on."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from core.errors import LumosError, PermissionRefused
from portal.notices import notices_of
from portal.request import PortalRequest
from tenants.api import Permission, allows, lacks_demanded_factor

P = ParamSpec("P")
View = Callable[Concatenate[PortalRequest, P], HttpResponse]


def requires(permission: Permission, *, private: bool = False, unproved: bool = False) -> Callable[[View[P]], View[P]]:
    """Let the view run for members whose role has `permission`; the view carries it as `.permission`.

    A `private` page is for the person alone: an operator who acts for them does not even look at it. `unproved` ones
    open although the tenant demands a second factor and the session has proved none: where it is added or proved.
    """

    def wrap(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: PortalRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            if getattr(request, "membership", None) is None:
                return to_sign_in(request)
            if not unproved and lacks_demanded_factor(request, request.membership):
                return HttpResponseRedirect(reverse("portal:security_app"))
            try:
                _check(request, permission)
                request.notices = notices_of(request.tenant.id)
                response = view(request, *args, **kwargs)
            except LumosError as error:
                response = problem_page(request, error)
            add_never_cache_headers(response)
            return response

        guarded.permission = permission  # type: ignore[attr-defined]
        guarded.private = private  # type: ignore[attr-defined]
        return cast("View[P]", guarded)

    return wrap


def _check(request: PortalRequest, permission: Permission) -> None:
    if allows(request.membership.role, permission):
        return
    role = request.membership.get_role_display()
    raise PermissionRefused(
        _("Your role here is %(role)s, and it does not include this.") % {"role": role},
        next_step=_("Ask an owner or an admin of this workspace."),
    )


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send to the sign-in page and back; a partial update sends the whole page there."""
    htmx = getattr(request, "htmx", None)
    if htmx:
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = _sign_in_address(htmx.current_url_abs_path or "/")
        return answer
    return HttpResponseRedirect(_sign_in_address(request.get_full_path() if request.method == "GET" else "/"))


def _sign_in_address(back_to: str) -> str:
    address = reverse("portal:sign_in")
    return address if back_to == "/" else f"{address}?{urlencode({'next': back_to})}"


def problem_page(request: HttpRequest, error: LumosError) -> HttpResponse:
    """An anticipated error as a page, with its status, headers and next step."""
    template = "errors/403.html" if error.status == 403 else "errors/problem.html"
    response = render(request, template, {"error": error}, status=error.status)
    for name, value in error.headers.items():
        response[name] = value
    return response
