"""REST routes of tenants, members, keys and capacity, under /api/v1/."""

from __future__ import annotations

from django.urls import path

from tenants import member_views, network_views, profile_views, session_views, views
from tenants.allocation import views as allocation_views
from tenants.centre import views as centre
from tenants.isolation.views import IsolationReportDetail
from tenants.webhooks import views as webhooks

urlpatterns = [
    path("auth/tokens", session_views.TokenList.as_view()),
    path("auth/tokens/refresh", session_views.TokenRefresh.as_view()),
    path("auth/tokens/<str:session_id>", session_views.TokenDetail.as_view()),
    path("auth/sessions", session_views.SessionList.as_view()),
    path("tenants", views.TenantList.as_view()),
    path("tenants/<str:tenant_id>", views.TenantDetail.as_view()),
    path("tenants/<str:tenant_id>/type", profile_views.TenantTypeView.as_view()),
    path("tenants/<str:tenant_id>/overrides", profile_views.OverrideList.as_view()),
    path("tenants/<str:tenant_id>/overrides/<str:override_id>/revoke", profile_views.RevokeOverride.as_view()),
    path("profiles", profile_views.ProfileList.as_view()),
    path("profiles/<str:tenant_type>", profile_views.ProfileDetail.as_view()),
    path("tenants/<str:tenant_id>/suspend", views.SuspendTenant.as_view()),
    path("tenants/<str:tenant_id>/resume", views.ResumeTenant.as_view()),
    path("tenants/<str:tenant_id>/archive", views.ArchiveTenant.as_view()),
    path("tenants/<str:tenant_id>/restore", views.RestoreTenant.as_view()),
    path("tenants/<str:tenant_id>/cancel-deletion", views.CancelDeletion.as_view()),
    path("tenants/<str:tenant_id>/members", member_views.MemberList.as_view()),
    path("tenants/<str:tenant_id>/members/<str:member_id>", member_views.MemberDetail.as_view()),
    path("tenants/<str:tenant_id>/invitations", member_views.InvitationList.as_view()),
    path("tenants/<str:tenant_id>/invitations/<str:invitation_id>", member_views.InvitationDetail.as_view()),
    path("tenants/<str:tenant_id>/isolation-report", IsolationReportDetail.as_view()),
    path("tenants/<str:tenant_id>/allocations", allocation_views.AllocationList.as_view()),
    path("tenants/<str:tenant_id>/allocations/<str:allocation_id>", allocation_views.AllocationDetail.as_view()),
    path("tenants/<str:tenant_id>/allocations/<str:allocation_id>/move-up", allocation_views.MoveUp.as_view()),
    path("capacity/pools", allocation_views.PoolList.as_view()),
    path("capacity/pools/<str:pool_id>", allocation_views.PoolDetail.as_view()),
    path("capacity/pools/<str:pool_id>/reservation", allocation_views.PoolReservation.as_view()),
    path("capacity/waiting", allocation_views.WaitingList.as_view()),
    path("capacity/waiting/retry", allocation_views.RetryWaiting.as_view()),
    path("tenants/<str:tenant_id>/keys", views.KeyList.as_view()),
    path("tenants/<str:tenant_id>/keys/<str:key_id>", views.KeyDetail.as_view()),
    path("tenants/<str:tenant_id>/settings", centre.SettingList.as_view()),
    path("tenants/<str:tenant_id>/settings/history", centre.SettingsHistory.as_view()),
    path("tenants/<str:tenant_id>/settings/difference", centre.SettingsDifference.as_view()),
    path("tenants/<str:tenant_id>/settings/roll-back", centre.RollBackSettings.as_view()),
    path("tenants/<str:tenant_id>/settings/<str:name>", centre.SettingDetail.as_view()),
    path("tenants/<str:tenant_id>/webhooks", webhooks.EndpointList.as_view()),
    path("tenants/<str:tenant_id>/webhooks/<str:endpoint_id>", webhooks.EndpointDetail.as_view()),
    path("tenants/<str:tenant_id>/webhooks/<str:endpoint_id>/rotate", webhooks.RotateSecret.as_view()),
    path("tenants/<str:tenant_id>/webhooks/<str:endpoint_id>/test", webhooks.SendTest.as_view()),
    path("tenants/<str:tenant_id>/webhooks/<str:endpoint_id>/resend-failed", webhooks.ResendFailed.as_view()),
    path("tenants/<str:tenant_id>/webhook-deliveries", webhooks.DeliveryList.as_view()),
    path("tenants/<str:tenant_id>/webhook-deliveries/<str:delivery_id>", webhooks.DeliveryDetail.as_view()),
    path("tenants/<str:tenant_id>/webhook-deliveries/<str:delivery_id>/resend", webhooks.ResendDelivery.as_view()),
    path("tenants/<str:tenant_id>/keys/<str:key_id>/networks", network_views.KeyNetworks.as_view()),
    path("tenants/<str:tenant_id>/networks", network_views.TenantNetworks.as_view()),
]

# Beside the API: an address that checkers of tokens know where to look for.
well_known = [path(".well-known/jwks.json", session_views.key_set, name="jwks")]
