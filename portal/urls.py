"""The portal's addresses. Every view carries its permission (`portal.guard.requires`), but for the way in and out."""

from __future__ import annotations

from django.urls import path

from portal.bill import views as bill
from portal.home import views as home
from portal.impersonation import views as impersonation
from portal.isolation import views as isolation
from portal.join import views as join
from portal.keys import views as keys
from portal.members import views as members
from portal.network import views as network
from portal.playground import views as playground
from portal.provider import views as provider
from portal.security import views as security
from portal.settings import views as settings
from portal.sign_in import views as sign_in
from portal.usage import views as usage
from portal.webhooks import views as webhooks
from portal.workspace import views as workspace

app_name = "portal"

urlpatterns = [
    path("", home.home, name="home"),
    path("meters/", home.meters, name="meters"),
    path("sign-in/", sign_in.sign_in_page, name="sign_in"),
    path("sign-in/code/", security.second_step, name="sign_in_code"),
    path("sign-in/passkey/", security.enter_by_passkey, name="sign_in_passkey"),
    path("sign-in/reset/", security.reset, name="reset"),
    path("sign-in/reset/new/", security.reset_new, name="reset_new"),
    path("sign-in/reset/<str:token>/", security.reset_link, name="reset_link"),
    path("sign-in/address/<str:token>/", security.address_link, name="address_link"),
    path("sign-in/openid/", security.openid_go, name="openid_go"),
    path("sign-in/openid/back/", security.openid_back, name="openid_back"),
    path("sign-out/", sign_in.sign_out_page, name="sign_out"),
    path("keys/", keys.key_list, name="keys"),
    path("keys/table/", keys.key_table, name="key_table"),
    path("keys/new/", keys.key_create, name="key_create"),
    path("keys/<str:public_id>/revoke/", keys.key_revoke, name="key_revoke"),
    path("keys/<str:public_id>/networks/", network.key_networks, name="key_networks"),
    path("networks/", network.networks_page, name="networks"),
    path("usage/", usage.usage, name="usage"),
    path("usage/export.csv", usage.usage_csv, name="usage_csv"),
    path("bill/", bill.bill_page, name="bill"),
    path("bill/export.csv", bill.bill_csv, name="bill_csv"),
    path("playground/", playground.playground, name="playground"),
    path("playground/history/", playground.history, name="playground_history"),
    path("playground/token/", playground.token, name="playground_token"),
    path("playground/turns/", playground.keep, name="playground_keep"),
    path("playground/c/<str:conversation_id>/", playground.reopened, name="playground_reopened"),
    path("playground/c/<str:conversation_id>/delete/", playground.delete, name="playground_delete"),
    path("members/", members.member_list, name="members"),
    path("members/invite/", members.invite, name="member_invite"),
    path("members/leave/", members.leave, name="member_leave"),
    path("members/<str:public_id>/role/", members.set_role, name="member_role"),
    path("members/<str:public_id>/remove/", members.remove, name="member_remove"),
    path("invitations/<str:public_id>/renew/", members.renew, name="invitation_renew"),
    path("invitations/<str:public_id>/revoke/", members.revoke, name="invitation_revoke"),
    path("impersonation/enter/", impersonation.enter, name="impersonation_enter"),
    path("impersonation/ask/", impersonation.ask, name="impersonation_ask"),
    path("impersonation/leave/", impersonation.leave, name="impersonation_leave"),
    path("impersonation/<str:token>/", impersonation.door, name="impersonation_door"),
    path("join/", join.join_page, name="join"),
    path("join/<str:token>/", join.open_letter, name="join_link"),
    path("webhooks/", webhooks.endpoint_list, name="webhooks"),
    path("webhooks/new/", webhooks.endpoint_create, name="webhook_create"),
    path("webhooks/deliveries/<str:public_id>/", webhooks.delivery_page, name="webhook_delivery"),
    path("webhooks/deliveries/<str:public_id>/resend/", webhooks.delivery_resend, name="webhook_resend"),
    path("webhooks/<str:public_id>/", webhooks.endpoint_page, name="webhook"),
    path("webhooks/<str:public_id>/change/", webhooks.endpoint_change, name="webhook_change"),
    path("webhooks/<str:public_id>/remove/", webhooks.endpoint_remove, name="webhook_remove"),
    path("webhooks/<str:public_id>/resend-failed/", webhooks.endpoint_resend, name="webhook_resend_failed"),
    path("webhooks/<str:public_id>/rotate/", webhooks.endpoint_rotate, name="webhook_rotate"),
    path("webhooks/<str:public_id>/switch/", webhooks.endpoint_switch, name="webhook_switch"),
    path("webhooks/<str:public_id>/test/", webhooks.endpoint_test, name="webhook_test"),
    path("workspace/", workspace.workspace, name="workspace"),
    path("workspace/history/", workspace.history, name="workspace_history"),
    path("workspace/history/<int:number>/roll-back/", workspace.roll_back, name="workspace_roll_back"),
    path("isolation/", isolation.isolation_page, name="isolation"),
    path("settings/", settings.settings_page, name="settings"),
    path("settings/theme/", settings.set_theme, name="set_theme"),
    path("settings/password/", settings.set_password, name="set_password"),
    path("settings/security/", security.security, name="security"),
    path("settings/security/confirm/", security.confirm, name="security_confirm"),
    path("settings/security/app/", security.app, name="security_app"),
    path("settings/security/passkey/", security.passkey, name="security_passkey"),
    path("settings/security/address/", security.ask_address, name="security_address"),
    path("settings/security/openid/", security.openid_tie, name="security_openid"),
    path("settings/identity-provider/", provider.provider, name="provider"),
    path("settings/security/codes/", security.codes, name="security_codes"),
    path("settings/security/factors/<str:public_id>/remove/", security.remove, name="security_remove"),
    path("settings/security/sessions/<str:public_id>/end/", security.end_session, name="security_end"),
    path("settings/security/sessions/end-others/", security.end_others, name="security_end_others"),
    path("settings/api-sessions/<str:public_id>/end/", settings.end_program, name="end_api_session"),
]
