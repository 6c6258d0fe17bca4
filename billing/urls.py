"""REST routes of usage, bills and plans, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from billing import views

urlpatterns = [
    path("plans", views.PlanList.as_view()),
    path("tenants/<str:tenant_id>/usage", views.Usage.as_view()),
    path("tenants/<str:tenant_id>/usage-events", views.UsageEvents.as_view()),
    path("tenants/<str:tenant_id>/bill", views.RunningBill.as_view()),
    path("tenants/<str:tenant_id>/subscription", views.TenantSubscription.as_view()),
]
