"""What a tenant's host serves."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("lumos_site.urls.api")),
    path("", include("portal.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]

handler403 = "portal.faults.refused"
handler404 = "portal.faults.not_found"
handler500 = "portal.faults.server_error"
