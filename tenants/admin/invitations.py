"""Invitations across all tenants: made, sent again and withdrawn here; their tokens are only in the letters."""

from __future__ import annotations

from typing import ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from audit.api import operator_actor
from core.admin import (
    Choice,
    Confirmation,
    LumosModelAdmin,
    Question,
    action,
    admin_link,
    ago,
    confirm,
    display,
)
from core.clock import utc_now
from tenants.data import Role
from tenants.models import Invitation
from tenants.services.invitations import invite_member, renew_invitation, revoke_invitation


class IsItOpen(Question):
    title = _("is it open?")
    parameter_name = "open"

    @classmethod
    def current_answers(cls) -> tuple[Choice, ...]:
        unused, now = Q(accepted_at=None, revoked_at=None), utc_now()
        return (
            Choice("yes", _("Yes: nobody has used it yet"), unused & Q(expires_at__gt=now)),
            Choice("expired", _("No: expired"), unused & Q(expires_at__lte=now)),
            Choice("used", _("No: used"), Q(accepted_at__isnull=False)),
            Choice("revoked", _("No: withdrawn"), Q(revoked_at__isnull=False)),
        )


@admin.register(Invitation)
class InvitationAdmin(LumosModelAdmin):
    colours: ClassVar[dict[str, str]] = {"open": "info", "used": "success", "expired": "warning", "revoked": "default"}
    list_display = ("email", "tenant_shown", "role", "state", "invited_by", "expires")
    list_filter = (IsItOpen, ("role", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("email", "tenant__name", "tenant__slug")
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("tenant",)
    add_fieldsets = ((None, {"fields": ("tenant", "email", "role")}),)
    fields = ("tenant", "email", "role", "invited_by", "created_at", "expires_at", "accepted_at", "revoked_at")
    actions = ("renew_selected", "revoke_selected")
    actions_row = ("renew", "revoke")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Invitation, form: forms.ModelForm[Invitation], change: bool
    ) -> None:
        made = invite_member(
            tenant_id=obj.tenant_id,
            email=obj.email,
            role=Role(obj.role),
            owners=True,
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        obj.__dict__.update(made.__dict__)

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, invitation: Invitation) -> str:
        return admin_link("tenants_tenant_change", invitation.tenant.name, invitation.tenant_id)

    @display(description=_("state"), label=colours)
    def state(self, invitation: Invitation) -> tuple[str, str]:
        if invitation.accepted_at is not None:
            return "used", str(_("used"))
        if invitation.revoked_at is not None:
            return "revoked", str(_("withdrawn"))
        if invitation.is_open(utc_now()):
            return "open", str(_("open"))
        return "expired", str(_("expired"))

    @display(description=_("expires"), ordering="expires_at")
    def expires(self, invitation: Invitation) -> str:
        return ago(invitation.expires_at)

    @admin.action(description=_("Send the selected invitations again …"), permissions=["operate"])
    def renew_selected(self, request: HttpRequest, rows: QuerySet[Invitation]) -> HttpResponse:
        return self._renew(request, list(rows))

    @action(description=_("Send again …"), icon="forward_to_inbox", permissions=["operate"])
    def renew(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._renew(request, list(self.get_queryset(request).filter(pk=object_id)))

    @admin.action(description=_("Withdraw the selected invitations …"), permissions=["operate"])
    def revoke_selected(self, request: HttpRequest, rows: QuerySet[Invitation]) -> HttpResponse:
        return self._revoke(request, list(rows))

    @action(description=_("Withdraw …"), icon="block", permissions=["operate"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._revoke(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _renew(self, request: HttpRequest, rows: list[Invitation]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Send again")),
            consequence=str(_("Each gets a fresh letter, valid for a week. The old links open nothing any more.")),
            submit=str(_("Send")),
            done=lambda n: ngettext("%(n)s letter is on its way.", "%(n)s letters are on their way.", n) % {"n": n},
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Invitation, form: forms.Form) -> None:
            renew_invitation(tenant_id=row.tenant_id, invitation_id=row.pk, owners=True, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)

    def _revoke(self, request: HttpRequest, rows: list[Invitation]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Withdraw")),
            consequence=str(_("The links of these letters open nothing any more.")),
            submit=str(_("Withdraw")),
            done=lambda n: ngettext("%(n)s invitation is withdrawn.", "%(n)s invitations are withdrawn.", n) % {"n": n},
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Invitation, form: forms.Form) -> None:
            revoke_invitation(tenant_id=row.tenant_id, invitation_id=row.pk, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
