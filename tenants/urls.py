"""REST routes of tenants, members and keys, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from tenants import member_views, views

urlpatterns = [
    path("tenants", views.TenantList.as_view()),
    path("tenants/<str:tenant_id>", views.TenantDetail.as_view()),
    path("tenants/<str:tenant_id>/suspend", views.SuspendTenant.as_view()),
    path("tenants/<str:tenant_id>/resume", views.ResumeTenant.as_view()),
    path("tenants/<str:tenant_id>/archive", views.ArchiveTenant.as_view()),
    path("tenants/<str:tenant_id>/restore", views.RestoreTenant.as_view()),
    path("tenants/<str:tenant_id>/members", member_views.MemberList.as_view()),
    path("tenants/<str:tenant_id>/members/<str:member_id>", member_views.MemberDetail.as_view()),
    path("tenants/<str:tenant_id>/invitations", member_views.InvitationList.as_view()),
    path("tenants/<str:tenant_id>/invitations/<str:invitation_id>", member_views.InvitationDetail.as_view()),
    path("tenants/<str:tenant_id>/keys", views.KeyList.as_view()),
    path("tenants/<str:tenant_id>/keys/<str:key_id>", views.KeyDetail.as_view()),
]
