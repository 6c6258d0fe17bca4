"""REST routes of scaling, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from scaling import views

urlpatterns = [
    path("tenants/<str:tenant_id>/scaling", views.TenantScaling.as_view()),
    path("tenants/<str:tenant_id>/scaling/decisions", views.DecisionList.as_view()),
]
