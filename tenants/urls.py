"""REST routes of tenants and keys, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from tenants import views

urlpatterns = [
    path("tenants", views.TenantList.as_view()),
    path("tenants/<str:tenant_id>", views.TenantDetail.as_view()),
    path("tenants/<str:tenant_id>/suspend", views.SuspendTenant.as_view()),
    path("tenants/<str:tenant_id>/resume", views.ResumeTenant.as_view()),
    path("tenants/<str:tenant_id>/keys", views.KeyList.as_view()),
    path("tenants/<str:tenant_id>/keys/<str:key_id>", views.KeyDetail.as_view()),
]
