"""Tenants: the list that says who can call, the page of one tenant, and the actions that change its life."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, Exists, IntegerField, Model, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter

from audit.api import operator_actor
from core.admin import (
    EMPTY,
    Choice,
    Question,
    action,
    admin_link,
    ago,
    display,
    dotted,
)
from core.clock import utc_now
from tenants.admin.datasets import DomainsOfTenant, KeysOfTenant, MembersOfTenant
from tenants.admin.impersonation import Impersonating
from tenants.admin.life import ask_to_delete, ask_to_keep, ask_to_resume, ask_to_suspend
from tenants.admin.networks import NETWORKS, TenantForm, save_networks
from tenants.admin.settings import SettingsPages
from tenants.admin.types import TypeActions
from tenants.data import TenantStatus, TenantType
from tenants.models import ApiKey, Membership, Tenant
from tenants.services.lifecycle import create_tenant, rename_tenant

ACT = ["impersonate", "suspend", "resume", "change_type", "new_key", "erase", "keep"]
LOOK_UP = [
    "see_settings",
    "see_usage",
    "see_limits",
    "see_bill",
    "see_scaling",
    "see_audit",
    "see_isolation",
    "open_portal",
]
STATUS_COLOURS = {
    TenantStatus.ACTIVE: "success",
    TenantStatus.SUSPENDED: "danger",
    TenantStatus.PROVISIONING: "info",
    TenantStatus.ARCHIVED: "default",
    TenantStatus.DELETING: "danger",
    TenantStatus.DELETED: "default",
}


def _count(rows: QuerySet[Any]) -> Coalesce:
    """How many of the related rows there are, as a subquery, so that two of them do not multiply."""
    counted = rows.order_by().values("tenant").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


class CanTheyCall(Question):
    title = _("can they call?")
    parameter_name = "can_call"
    answers = (
        Choice("yes", _("Yes: active with a usable key"), Q(status=TenantStatus.ACTIVE, has_key=True)),
        Choice("no_key", _("No: active, but without a key"), Q(status=TenantStatus.ACTIVE, has_key=False)),
        Choice(
            "stopped", _("No: suspended or archived"), Q(status__in=[TenantStatus.SUSPENDED, TenantStatus.ARCHIVED])
        ),
        Choice("not_yet", _("Not yet: being provisioned"), Q(status=TenantStatus.PROVISIONING)),
        Choice("gone", _("No: deleted or to be deleted"), Q(status__in=[TenantStatus.DELETING, TenantStatus.DELETED])),
    )


class WhoLooksAfterIt(Question):
    title = _("who looks after it?")
    parameter_name = "members"
    answers = (
        Choice("nobody", _("Nobody: no member at all"), Q(members=0)),
        Choice("somebody", _("At least one member"), Q(members__gt=0)),
    )


@admin.register(Tenant)
class TenantAdmin(Impersonating, TypeActions, SettingsPages):
    form = TenantForm
    public_kind = "ten"
    list_display = ("shown", "status_label", "type", "plan_shown", "keys_shown", "members_shown", "created_shown")
    list_filter = (
        CanTheyCall,
        ("type", ChoicesDropdownFilter),
        ("plan", FieldTextFilter),
        WhoLooksAfterIt,
        ("created_at", RangeDateTimeFilter),
    )
    search_fields = ("name", "slug", "id")
    search_help_text = _("Name, slug or ten_ id")
    ordering = ("-created_at", "-id")
    readonly_fields = ("public_id", "status", "status_reason", "plan", "schema", "created_at")
    fieldsets = (
        (None, {"fields": ("name", "slug", "type", "region")}),
        (_("Status"), {"fields": ("status", "status_reason", "plan")}),
        (_("Where it may be used from"), {"fields": NETWORKS}),
        (_("Identity"), {"fields": ("public_id", "schema", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("name", "slug", "type", "region")}),)
    actions = ("suspend_selected", "resume_selected", "change_type_selected")
    actions_detail = ({"title": _("Act"), "items": ACT}, {"title": _("Look up"), "items": LOOK_UP})
    change_form_datasets = (KeysOfTenant, MembersOfTenant, DomainsOfTenant)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        usable = ApiKey.objects.filter(tenant=OuterRef("pk"), revoked_at=None)
        usable = usable.filter(Q(expires_at=None) | Q(expires_at__gt=utc_now()))
        rows: QuerySet[Tenant] = super().get_queryset(request)
        annotated: QuerySet[Tenant] = rows.annotate(
            has_key=Exists(usable),
            usable_keys=_count(usable),
            members=_count(Membership.objects.filter(tenant=OuterRef("pk"))),
        )
        return annotated

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        own = [
            path("<str:tenant_id>/settings/", wrap(self.settings), name="tenants_tenant_settings"),
            path(
                "<str:tenant_id>/settings/<int:number>/roll-back/",
                wrap(self.roll_back_settings),
                name="tenants_tenant_roll_back_settings",
            ),
        ]
        return [*own, *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Tenant | None = None) -> bool:
        return False

    def has_erase_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        """For the action: rows are never deleted by Django's own page."""
        return bool(request.user.has_perm("tenants.delete_tenant"))

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "slug", "type", "region") if obj else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Tenant, form: ModelForm[Tenant], change: bool) -> None:
        acting, now = operator_actor(request.user), utc_now()
        if change:
            if "name" in form.changed_data:
                rename_tenant(tenant_id=obj.pk, name=obj.name, acting=acting, now=now)
            save_networks(obj.pk, form, acting=acting, now=now)
            return
        kind = TenantType(obj.type)
        made = create_tenant(slug=obj.slug, name=obj.name, type=kind, region=obj.region, acting=acting, now=now)
        obj.__dict__.update(made.__dict__)

    @display(description=_("public id"))
    def public_id(self, tenant: Tenant) -> str:
        return tenant.public_id

    @display(description=_("schema"))
    def schema(self, tenant: Tenant) -> str:
        return str(tenant.schema_name)

    @display(description=_("tenant"), ordering="name", header=True)
    def shown(self, tenant: Tenant) -> list[str]:
        return [tenant.name, tenant.slug]

    @display(description=_("status"), ordering="status", label=STATUS_COLOURS)
    def status_label(self, tenant: Tenant) -> tuple[str, str]:
        return tenant.status, tenant.get_status_display()

    @display(description=_("plan"), ordering="plan")
    def plan_shown(self, tenant: Tenant) -> str:
        return tenant.plan or EMPTY

    @display(description=_("usable keys"), ordering="usable_keys")
    def keys_shown(self, tenant: Tenant) -> str:
        number: int = tenant.usable_keys
        return admin_link("tenants_apikey_changelist", dotted(number), query=f"?tenant__id__exact={tenant.pk}")

    @display(description=_("members"), ordering="members")
    def members_shown(self, tenant: Tenant) -> str:
        number: int = tenant.members
        return dotted(number)

    @display(description=_("created"), ordering="created_at")
    def created_shown(self, tenant: Tenant) -> str:
        return ago(tenant.created_at)

    @admin.action(description=_("Suspend the selected tenants …"), permissions=["operate"])
    def suspend_selected(self, request: HttpRequest, rows: QuerySet[Tenant]) -> HttpResponse:
        return ask_to_suspend(self, request, list(rows))

    @admin.action(description=_("Resume the selected tenants …"), permissions=["operate"])
    def resume_selected(self, request: HttpRequest, rows: QuerySet[Tenant]) -> HttpResponse:
        return ask_to_resume(self, request, list(rows))

    @action(description=_("Suspend …"), icon="pause_circle", permissions=["operate"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ask_to_suspend(self, request, self._one(request, object_id))

    @action(description=_("Resume …"), icon="play_circle", permissions=["operate"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ask_to_resume(self, request, self._one(request, object_id))

    @action(description=_("Delete …"), icon="delete_forever", permissions=["erase"])
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ask_to_delete(self, request, self._one(request, object_id))

    @action(description=_("Take the deletion back …"), icon="restore_from_trash", permissions=["operate"])
    def keep(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return ask_to_keep(self, request, self._one(request, object_id))

    @action(description=_("New API key"), icon="key", permissions=["view"])
    def new_key(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse('admin:tenants_apikey_add')}?tenant={object_id}")

    @action(description=_("Audit log"), icon="history", permissions=["view"])
    def see_audit(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.to_list("audit_auditentry", tenant=object_id)

    @action(description=_("Settings"), icon="tune", permissions=["view"])
    def see_settings(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:tenants_tenant_settings", args=[object_id]))

    @action(description=_("Usage events"), icon="receipt_long", permissions=["view"])
    def see_usage(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.to_list("billing_usageevent", tenant=object_id)

    @action(description=_("Effective values"), icon="speed", permissions=["view"])
    def see_limits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:quotas_tenantlimit_effective", args=[object_id]))

    @action(description=_("Running bill"), icon="request_quote", permissions=["view"])
    def see_bill(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:billing_subscription_bill", args=[object_id]))

    @action(description=_("Scaling decisions"), icon="timeline", permissions=["view"])
    def see_scaling(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.to_list("scaling_scalingdecision", tenant=object_id)

    @action(description=_("Isolation"), icon="security", permissions=["view"])
    def see_isolation(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:tenants_isolationreport_of", args=[object_id]))

    @action(description=_("Portal"), icon="open_in_new", permissions=["view"])
    def open_portal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        [tenant] = self._one(request, object_id)
        domain = tenant.domains.filter(is_primary=True).first()  # type: ignore[attr-defined]
        _host, port = split_domain_port(request.get_host())
        return HttpResponseRedirect(f"{request.scheme}://{domain}:{port}/" if port else f"{request.scheme}://{domain}/")

    def _one(self, request: HttpRequest, object_id: str) -> list[Model]:
        found = self.get_object(request, object_id)
        return [found] if found else []
