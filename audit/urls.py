"""REST routes of the audit log, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from audit import views

urlpatterns = [
    path("audit/entries", views.EntryList.as_view()),
    path("audit/chains", views.ChainList.as_view()),
    path("audit/chains/<str:chain>", views.ChainDetail.as_view()),
    path("audit/chains/<str:chain>/check", views.CheckChain.as_view()),
    path("audit/chains/<str:chain>/adopt", views.AdoptChain.as_view()),
    path("audit/chains/<str:chain>/export", views.ExportChain.as_view()),
    path("audit/keys", views.KeyList.as_view()),
    path("tenants/<str:tenant_id>/audit", views.TenantEntries.as_view()),
    path("tenants/<str:tenant_id>/audit/chain", views.TenantChain.as_view()),
    path("tenants/<str:tenant_id>/audit/export", views.TenantExport.as_view()),
]
