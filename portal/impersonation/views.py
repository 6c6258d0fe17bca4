"""Coming in with a token from the operators' host, asking to change things, leaving.

The token is in an address, so opening that address does nothing yet; only the form on its page uses the token up.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.clock import utc_now
from core.errors import LumosError
from portal.guard import problem_page, to_sign_in
from portal.impersonation.forms import RaiseForm
from portal.request import PortalRequest, acting
from tenants.api import (
    IMPERSONATION_SESSION,
    ImpersonationEnd,
    Visit,
    end_impersonation,
    enter_impersonation,
    find_handover,
    raise_impersonation,
)


@never_cache
@require_GET
def door(request: PortalRequest, token: str) -> HttpResponse:
    """Who would act as whom and why, and the button that begins it."""
    try:
        found = find_handover(tenant_id=request.tenant.id, token=token, now=utc_now())
    except LumosError as error:
        return problem_page(request, error)
    return render(request, "portal/impersonation/door.html", {"found": found, "token": token, "tenant": request.tenant})


@never_cache
@require_POST
def enter(request: PortalRequest) -> HttpResponse:
    """Whoever this browser was on this host is out; from here on it is the operator's."""
    try:
        entered = enter_impersonation(tenant_id=request.tenant.id, token=request.POST.get("token", ""), now=utc_now())
    except LumosError as error:
        return problem_page(request, error)
    request.session.flush()
    request.session[IMPERSONATION_SESSION] = entered.id
    request.session.set_expiry(entered.expires_at)
    return HttpResponseRedirect(reverse("portal:home"))


@never_cache
@require_http_methods(["GET", "POST"])
def ask(request: PortalRequest) -> HttpResponse:
    """A second reason, and from then on what operators may change can be changed."""
    visit = visit_on(request)
    if visit is None:
        return to_sign_in(request)
    form = RaiseForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "portal/impersonation/ask.html", {"form": form}, status=400 if form.is_bound else 200)
    try:
        raise_impersonation(
            impersonation_id=visit.row.id, reason=form.cleaned_data["reason"], acting=acting(request), now=utc_now()
        )
    except LumosError as error:
        return problem_page(request, error)
    return HttpResponseRedirect(reverse("portal:home"))


@require_POST
def leave(request: PortalRequest) -> HttpResponse:
    """Also where the portal's own "sign out" leads while an operator is in."""
    visit = visit_on(request)
    if visit is None:
        return to_sign_in(request)
    end_impersonation(impersonation_id=visit.row.id, why=ImpersonationEnd.ENDED, acting=acting(request), now=utc_now())
    request.session.flush()
    return render(request, "errors/impersonation_over.html", {"why": _("You have ended it.")})


def visit_on(request: HttpRequest) -> Visit | None:
    found: Visit | None = getattr(request, "impersonation", None)
    return found
