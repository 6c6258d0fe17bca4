"""The operators' admin site: one site, no bulk deletion, live figures for its front page."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

from core.master_keys import is_sealed
from lumos_site.dashboard import views
from lumos_site.sign_in import OperatorSignInForm


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
        return [path("live/", self.live, name="live")]

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff, on the operators' host only."""
        return bool(super().has_permission(request)) and getattr(request, "tenant", None) is None

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        answer: HttpResponse = super().index(request, {**(extra_context or {}), **views.context()})
        return answer

    def live(self, request: HttpRequest) -> HttpResponse:
        """The renewed figures; an ended session reloads the page, which then asks to sign in."""
        if not self.has_permission(request):
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return views.live_figures(request)
