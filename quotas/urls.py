"""REST routes of limits, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from quotas import views

urlpatterns = [
    path("tenants/<str:tenant_id>/effective-values", views.EffectiveValues.as_view()),
    path("tenants/<str:tenant_id>/limits", views.LimitList.as_view()),
    path("tenants/<str:tenant_id>/limits/<str:dimension>", views.LimitDetail.as_view()),
]
