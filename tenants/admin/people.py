"""Members and domains of tenants: lists across all tenants, and adding a member by address."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminEmailInputWidget

from audit.api import operator_actor
from core.admin import EMPTY, LumosModelAdmin, ReadOnlyAdmin, admin_link, ago, display
from core.clock import utc_now
from tenants.data import Role
from tenants.models import Domain, Membership
from tenants.services.lifecycle import add_member


class NewMemberForm(forms.ModelForm):  # type: ignore[type-arg]
    email = forms.EmailField(
        label=_("E-mail address"),
        widget=UnfoldAdminEmailInputWidget(),
        help_text=_("An account is made when there is none yet; it has no password until one is set."),
    )

    class Meta:
        model = Membership
        fields = ("tenant", "role")


@admin.register(Membership)
class MembershipAdmin(LumosModelAdmin):
    list_display = ("account", "tenant_shown", "role", "since")
    list_filter = (("role", ChoicesDropdownFilter), ("tenant", AutocompleteSelectFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__email", "tenant__name", "tenant__slug")
    ordering = ("-created_at",)
    autocomplete_fields = ("tenant",)
    form = NewMemberForm
    add_fieldsets = ((None, {"fields": ("tenant", "email", "role")}),)
    fields = ("account", "tenant", "role", "created_at")
    readonly_fields = ("account",)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Membership, form: forms.ModelForm[Membership], change: bool
    ) -> None:
        made = add_member(
            tenant_id=obj.tenant_id,
            email=form.cleaned_data["email"],
            role=Role(obj.role),
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        obj.__dict__.update(made.__dict__)

    @display(description=_("account"), ordering="user__username")
    def account(self, membership: Membership) -> str:
        return membership.user.get_username()

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, membership: Membership) -> str:
        return admin_link("tenants_tenant_change", membership.tenant.name, membership.tenant_id)

    @display(description=_("since"), ordering="created_at")
    def since(self, membership: Membership) -> str:
        return ago(membership.created_at)


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
