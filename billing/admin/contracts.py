"""Who is on which plan, putting a tenant on another, and the running bill of a tenant."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget

from audit.api import operator_actor
from billing.errors import NoSubscription
from billing.models import Plan, Subscription
from billing.selectors import running_bill
from billing.services.contracts import subscribe_tenant
from core.admin import Choice, LumosModelAdmin, Question, admin_link, ago, amount, display, page
from core.clock import utc_now
from tenants.api import TenantNotFound, tenant_by_id


class DoesItRun(Question):
    title = _("does it run?")
    parameter_name = "runs"
    answers = (
        Choice("yes", _("Yes, until further notice"), Q(ends_at=None)),
        Choice("ended", _("It ended, or will"), Q(ends_at__isnull=False)),
    )


class SubscribeForm(forms.ModelForm):  # type: ignore[type-arg]
    plan = forms.ModelChoiceField(
        label=_("Plan"),
        queryset=Plan.objects.filter(versions__published_at__isnull=False, versions__retired_at=None).distinct(),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Its newest version, from now on. What the tenant has now ends in the same instant."),
    )

    class Meta:
        model = Subscription
        fields = ("tenant",)


@admin.register(Subscription)
class SubscriptionAdmin(LumosModelAdmin):
    form = SubscribeForm
    list_display = ("tenant_shown", "plan_shown", "fee", "starts", "ends", "bill_link")
    list_filter = (DoesItRun, ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant", "plan_version__plan")
    search_fields = ("tenant__name", "tenant__slug", "plan_version__code")
    ordering = ("-starts_at", "-id")
    autocomplete_fields = ("tenant",)
    add_fieldsets = ((None, {"fields": ("tenant", "plan")}),)
    fieldsets = (
        (None, {"fields": ("tenant", "plan_version", "cadence", "time_zone")}),
        (_("Times"), {"fields": ("anchor_at", "starts_at", "ends_at", "created_at")}),
    )

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        view = self.admin_site.admin_view(self.bill)
        return [path("bill/<str:tenant_id>/", view, name="billing_subscription_bill"), *urls]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Subscription]:
        rows: QuerySet[Subscription] = super().get_queryset(request)
        return rows.select_related("tenant", "plan_version__plan")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Subscription, form: forms.ModelForm[Subscription], change: bool
    ) -> None:
        plan: Plan = form.cleaned_data["plan"]
        made = subscribe_tenant(
            tenant_id=obj.tenant_id, plan_code=plan.code, acting=operator_actor(request.user), now=utc_now()
        )
        obj.__dict__.update(made.__dict__)

    @page(permission="view")
    def bill(self, request: HttpRequest, tenant_id: str) -> HttpResponse:
        """The bill of the running period as far as usage was taken in."""
        context: dict[str, Any] = {**self.admin_site.each_context(request), "opts": self.model._meta}
        try:
            tenant = tenant_by_id(tenant_id)
            context |= {"tenant": tenant, "title": _("Running bill of %(tenant)s") % {"tenant": tenant}}
            context["bill"] = running_bill(tenant_id, utc_now())
        except TenantNotFound as error:
            raise Http404 from error
        except NoSubscription:
            context["bill"] = None
        return TemplateResponse(request, "admin/lumos/bill.html", context)

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, row: Subscription) -> str:
        return row.tenant.name

    @display(description=_("plan"), ordering="plan_version__code", header=True)
    def plan_shown(self, row: Subscription) -> list[str]:
        return [row.plan_version.plan.name, row.plan_version.code]

    @display(description=_("monthly fee"), ordering="plan_version__monthly_fee")
    def fee(self, row: Subscription) -> str:
        return amount(row.plan_version.monthly_fee, row.plan_version.currency)

    @display(description=_("since"), ordering="starts_at")
    def starts(self, row: Subscription) -> str:
        return ago(row.starts_at)

    @display(description=_("ends"), ordering="ends_at")
    def ends(self, row: Subscription) -> str:
        return ago(row.ends_at) if row.ends_at else str(_("until further notice"))

    @display(description=_("running bill"))
    def bill_link(self, row: Subscription) -> str:
        return admin_link("billing_subscription_bill", _("open"), row.tenant_id)
