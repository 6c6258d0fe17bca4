"""The accounts room's pages on the operators' site; owns who may open them.

Whoever operates the platform needs a second factor. Who has none yet is signed in, but no page of the admin opens, only
the one that adds a factor; who has one is asked for it before anything opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.cache import never_cache

from accounts.api import Face, has_factor, pages
from core.proof import has_proved_factor
from tenants.api import find_account

View = Callable[..., HttpResponse]


def _extras(request: HttpRequest) -> Mapping[str, Any]:
    return {**admin.site.each_context(request), "proved": has_proved_factor(request)}


def _needs_factor(request: HttpRequest) -> bool:
    return True


FACE = Face("admin", "admin/lumos/security", "login", "index", _extras, _needs_factor)


def is_staff_here(request: HttpRequest) -> bool:
    """Whether an operator's account is signed in on the operators' host, by whatever it proved."""
    return request.user.is_active and request.user.is_staff and getattr(request, "tenant", None) is None


def next_step(request: HttpRequest) -> HttpResponseRedirect:
    """Where an operator goes whose session has not proved a factor: to prove one, or to add the first."""
    wanted = request.GET.get("next", "")
    if has_factor(request.user.pk or 0):
        return FACE.to("security_confirm", **({"next": wanted} if wanted else {}))
    return FACE.to("security_app")


def security_urls() -> list[URLPattern]:
    return [
        path("sign-in/code/", _second_step, name="sign_in_code"),
        path("sign-in/passkey/", _enter_by_passkey, name="sign_in_passkey"),
        path("sign-in/reset/", _reset, name="reset"),
        path("sign-in/reset/new/", _reset_new, name="reset_new"),
        path("sign-in/reset/<str:token>/", _reset_link, name="reset_link"),
        path("sign-in/address/<str:token>/", _address_link, name="address_link"),
        path("security/confirm/", _of_staff(pages.confirm), name="security_confirm"),
        path("security/app/", _of_staff(pages.add_an_app), name="security_app"),
        path("security/passkey/", _of_staff(pages.add_a_passkey), name="security_passkey"),
        path("security/address/", _of_operators(pages.ask_address), name="security_address"),
        path("security/", _of_operators(pages.overview), name="security"),
        path("security/codes/", _of_operators(pages.new_codes), name="security_codes"),
        path("security/factors/<str:public_id>/remove/", _of_operators(pages.remove), name="security_remove"),
        path("security/sessions/<str:public_id>/end/", _of_operators(pages.end_one), name="security_end"),
        path("security/sessions/end-others/", _of_operators(pages.end_others), name="security_end_others"),
    ]


def _second_step(request: HttpRequest) -> HttpResponse:
    return pages.second_step(request, FACE)


def _enter_by_passkey(request: HttpRequest) -> HttpResponse:
    return pages.enter(request, FACE, lambda account: account.is_staff)


def _reset(request: HttpRequest) -> HttpResponse:
    return pages.reset(request, FACE, _operator)


def _operator(email: str) -> User | None:
    account = find_account(email)
    return account if account is not None and account.is_staff else None


def _reset_link(request: HttpRequest, token: str) -> HttpResponse:
    return pages.reset_link(request, FACE, token)


def _reset_new(request: HttpRequest) -> HttpResponse:
    return pages.reset_new(request, FACE)


def _address_link(request: HttpRequest, token: str) -> HttpResponse:
    return pages.address_link(request, FACE, token)


def _of_staff(page: View) -> View:
    """Open to a session that has proved a password only."""

    @never_cache
    def guarded(request: HttpRequest, public_id: str = "") -> HttpResponse:
        if not is_staff_here(request):
            return HttpResponseRedirect(reverse("admin:login"))
        return page(request, FACE, *filter(None, [public_id]))

    return guarded


def _of_operators(page: View) -> View:
    """Open to a session that has proved a second factor, as every other page of the site."""
    opened = _of_staff(page)

    @never_cache
    def guarded(request: HttpRequest, public_id: str = "") -> HttpResponse:
        if is_staff_here(request) and not has_proved_factor(request):
            return next_step(request)
        return opened(request, public_id)

    return guarded
