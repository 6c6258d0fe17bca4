"""The operators' admin site: one site, a second factor for everybody, no bulk deletion, live figures in front."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from core.master_keys import is_sealed
from core.proof import has_proved_factor
from lumos_site.dashboard import views
from lumos_site.operator_security import is_staff_here, next_step, security_urls
from lumos_site.sign_in import OperatorLoginView, OperatorSignInForm


class OperatorAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """Django's default site, by `lumos_site.apps.OperatorAdminConfig`."""

    index_title = _("Overview")
    login_form = OperatorSignInForm

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        return {**context, "is_sealed": is_sealed()}

    def extra_urls(self) -> list[URLPattern]:
        return [path("live/", self.live, name="live"), *security_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, on the operators' host only, in a session that proved a second factor. The door of every page."""
        return is_staff_here(request) and has_proved_factor(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The password first. Whoever has given it goes on to the second factor, or to adding one."""
        if request.method == "GET" and is_staff_here(request) and not has_proved_factor(request):
            return next_step(request)
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        return cast("HttpResponse", OperatorLoginView.as_view(extra_context=context)(request))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = super().index(request, {**(extra_context or {}), **views.context()})
        return answer

    def live(self, request: HttpRequest) -> HttpResponse:
        """The renewed figures; an ended session reloads the page, which then asks to sign in."""
        if not self.has_permission(request):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return views.live_figures(request)
