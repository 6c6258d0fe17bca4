"""Members and domains of tenants: lists across all tenants, roles changed and members removed."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from audit.api import operator_actor
from core.admin import (
    EMPTY,
    Confirmation,
    LumosModelAdmin,
    ReadOnlyAdmin,
    action,
    admin_link,
    ago,
    confirm,
    display,
)
from core.clock import utc_now
from tenants.data import Role
from tenants.models import Domain, Membership
from tenants.services.members import change_role, remove_member


@admin.register(Membership)
class MembershipAdmin(LumosModelAdmin):
    list_display = ("account", "tenant_shown", "role", "since")
    list_filter = (("role", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__email", "tenant__name", "tenant__slug")
    ordering = ("-created_at",)
    fields = ("account", "tenant_shown", "role", "created_at")
    readonly_fields = ("account", "tenant_shown", "created_at")
    actions = ("remove_selected",)
    actions_row = ("remove",)
    actions_detail = ("remove",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People become members by an invitation, which proves their address."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Members are removed by the action that says what it does."""
        return False

    def save_model(
        self, request: HttpRequest, obj: Membership, form: forms.ModelForm[Membership], change: bool
    ) -> None:
        change_role(
            tenant_id=obj.tenant_id,
            membership_id=obj.pk,
            role=Role(obj.role),
            owners=True,
            acting=operator_actor(request.user),
            now=utc_now(),
        )

    @display(description=_("account"), ordering="user__username")
    def account(self, membership: Membership) -> str:
        return membership.user.get_username()

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, membership: Membership) -> str:
        return admin_link("tenants_tenant_change", membership.tenant.name, membership.tenant_id)

    @display(description=_("since"), ordering="created_at")
    def since(self, membership: Membership) -> str:
        return ago(membership.created_at)

    @admin.action(description=_("Remove the selected members …"), permissions=["operate"])
    def remove_selected(self, request: HttpRequest, rows: QuerySet[Membership]) -> HttpResponse:
        return self._remove(request, list(rows.select_related("user")))

    @action(description=_("Remove …"), icon="person_remove", permissions=["operate"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._remove(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _remove(self, request: HttpRequest, rows: list[Membership]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Remove")),
            consequence=str(_("Their tenants close to them at once. Accounts, and the keys that they made, stay.")),
            submit=str(_("Remove")),
            done=lambda n: ngettext("%(n)s member is removed.", "%(n)s members are removed.", n) % {"n": n},
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Membership, form: forms.Form) -> None:
            remove_member(tenant_id=row.tenant_id, membership_id=row.pk, owners=True, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)


@admin.register(Domain)
class DomainAdmin(ReadOnlyAdmin):
    list_display = ("name", "tenant_shown", "main")
    list_select_related = ("tenant",)
    search_fields = ("domain", "tenant__name")
    ordering = ("domain",)

    @display(description=_("domain"), ordering="domain")
    def name(self, domain: Domain) -> str:
        return str(domain.domain)

    @display(description=_("main address"), ordering="is_primary")
    def main(self, domain: Domain) -> str:
        return "✓" if domain.is_primary else EMPTY

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, domain: Domain) -> str:
        return admin_link("tenants_tenant_change", domain.tenant.name, domain.tenant_id)
