"""The REST API, its description and its pages; the same on the operators' host and on tenants' hosts."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from core.rest.views import NoSuchRoute
from lumos_site.architecture.views import MultitenantPlan
from tenants.urls import well_known

v1: list[URLPattern | URLResolver] = [
    path("", include("audit.urls")),
    path("", include("tenants.urls")),
    path("", include("quotas.urls")),
    path("", include("billing.urls")),
    path("", include("scaling.urls")),
    path("", include("proxy.urls")),
    path("architecture/multitenant-plan", MultitenantPlan.as_view()),
    re_path("", NoSuchRoute.as_view()),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(), name="api-docs"),
    path("api/v1/", include(v1)),
    *well_known,
]
