"""The sign-in page and the way out."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from accounts.api import identity_provider, safe_address
from core.errors import LumosError
from portal.request import PortalRequest
from portal.sign_in.services import Credentials, sign_in, sign_out
from tenants.api import membership_of


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
def sign_in_page(request: PortalRequest) -> HttpResponse:
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    back_to = safe_address(request, wanted, reverse("portal:home"))
    if request.method == "GET":
        return HttpResponseRedirect(back_to) if _is_member(request) else _page(request, back_to)
    credentials = Credentials(request.POST.get("email", ""), request.POST.get("password", ""))
    try:
        done = sign_in(request, tenant=request.tenant, credentials=credentials, back_to=back_to)
    except LumosError as error:
        return _page(request, back_to, credentials.email, error)
    return HttpResponseRedirect(back_to if done else reverse("portal:sign_in_code"))


@require_POST
def sign_out_page(request: HttpRequest) -> HttpResponse:
    sign_out(request)
    return HttpResponseRedirect(reverse("portal:sign_in"))


def _is_member(request: PortalRequest) -> bool:
    return request.user.is_authenticated and membership_of(request.user.pk, request.tenant.id) is not None


def _page(request: PortalRequest, back_to: str, email: str = "", error: LumosError | None = None) -> HttpResponse:
    context: dict[str, object] = {"tenant": request.tenant, "next": back_to, "email": email, "error": error}
    context["provider"] = identity_provider(request.tenant.id)
    response = render(request, "portal/sign_in.html", context, status=error.status if error else 200)
    for name, value in error.headers.items() if error else ():
        response[name] = value
    return response
