"""Plans as they are presented, and what models cost the operator."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.datasets import BaseDataset
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from audit.api import operator_actor
from billing.models import ModelCost, Plan, PlanVersion
from billing.services.catalogue import save_plan, set_model_cost
from core.admin import LumosModelAdmin, ReadOnlyAdmin, action, admin_link, ago, amount, display, dotted
from core.clock import utc_now
from tenants.api import TenantType

MILLION = 10**6


class PlanForm(forms.ModelForm):  # type: ignore[type-arg]
    tenant_types = forms.MultipleChoiceField(
        label=_("For"),
        required=False,
        choices=[
            (TenantType.INDIVIDUAL.value, _("Individual")),
            (TenantType.SMALL_BUSINESS.value, _("Small business")),
            (TenantType.ENTERPRISE.value, _("Enterprise")),
            (TenantType.GOVERNMENT.value, _("Government")),
            (TenantType.EDUCATIONAL.value, _("Educational")),
        ],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Types of tenant that it is meant for; none: all."),
    )

    class Meta:
        model = Plan
        fields = ("code", "name", "description", "tenant_types", "position")


class _Versions(ReadOnlyAdmin):
    list_display = ("code", "fee", "published", "retired")
    ordering = ("-number",)
    list_per_page = 10
    extra_context: dict[str, Any]

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        rows: QuerySet[PlanVersion] = super().get_queryset(request)
        return rows.filter(plan_id=self.extra_context.get("object"))

    @display(description=_("monthly fee"))
    def fee(self, version: PlanVersion) -> str:
        return amount(version.monthly_fee, version.currency)

    @display(description=_("published"))
    def published(self, version: PlanVersion) -> str:
        return ago(version.published_at)

    @display(description=_("retired"))
    def retired(self, version: PlanVersion) -> str:
        return ago(version.retired_at)


class VersionsOfPlan(BaseDataset):  # type: ignore[misc]
    model = PlanVersion
    model_admin = _Versions


@admin.register(Plan)
class PlanAdmin(LumosModelAdmin):
    form = PlanForm
    list_display = ("shown", "newest", "fee", "tenants_shown", "for_whom", "position")
    search_fields = ("code", "name")
    ordering = ("position", "code")
    actions_detail = ("new_version",)
    change_form_datasets = (VersionsOfPlan,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Plan]:
        published = PlanVersion.objects.filter(plan=OuterRef("pk"), published_at__isnull=False, retired_at=None)
        newest = published.order_by("-number")
        now = utc_now()
        running = Q(versions__subscriptions__starts_at__lte=now)
        running &= Q(versions__subscriptions__ends_at=None) | Q(versions__subscriptions__ends_at__gt=now)
        rows: QuerySet[Plan] = super().get_queryset(request)
        return rows.annotate(
            newest_code=Subquery(newest.values("code")[:1]),
            newest_fee=Subquery(newest.values("monthly_fee")[:1]),
            newest_currency=Subquery(newest.values("currency")[:1]),
            tenants=Count(
                "versions__subscriptions",
                filter=running,
                distinct=True,
            ),
        )

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Plan | None = None) -> tuple[str, ...]:
        return ("code",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Plan, form: forms.ModelForm[Plan], change: bool) -> None:
        made = save_plan(
            code=obj.code,
            name=obj.name,
            description=obj.description,
            tenant_types=form.cleaned_data["tenant_types"],
            position=obj.position,
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        obj.__dict__.update(made.__dict__)

    @action(description=_("New version …"), icon="add", permissions=["operate"])
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:billing_planversion_add", query={"plan": object_id}))

    @display(description=_("plan"), ordering="position", header=True)
    def shown(self, plan: Plan) -> list[str]:
        return [plan.name, plan.code]

    @display(description=_("sold version"))
    def newest(self, plan: Plan) -> str:
        return plan.newest_code or str(_("none yet"))  # type: ignore[attr-defined]

    @display(description=_("monthly fee"), ordering="newest_fee")
    def fee(self, plan: Plan) -> str:
        return amount(plan.newest_fee, plan.newest_currency or "")  # type: ignore[attr-defined]

    @display(description=_("tenants"), ordering="tenants")
    def tenants_shown(self, plan: Plan) -> str:
        number: int = plan.tenants  # type: ignore[attr-defined]
        return admin_link("tenants_tenant_changelist", dotted(number), query=f"?plan__icontains={plan.code}")

    @display(description=_("for"))
    def for_whom(self, plan: Plan) -> str:
        names = dict(PlanForm.base_fields["tenant_types"].choices)  # type: ignore[attr-defined]
        return ", ".join(str(names.get(kind, kind)) for kind in plan.tenant_types) or str(_("everybody"))


class ModelCostForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = ModelCost
        fields = ("provider", "model", "currency", "input_token", "cached_token", "output_token", "effective_from")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("cached_token", "effective_from"):
            if name in self.fields:
                self.fields[name].required = False
        if "cached_token" in self.fields:
            self.fields["cached_token"].help_text = _("Empty: as much as an input token.")
            self.fields["effective_from"].help_text = _("Empty: from now on. The past is never rewritten.")


@admin.register(ModelCost)
class ModelCostAdmin(LumosModelAdmin):
    form = ModelCostForm
    list_display = ("model", "provider", "version", "input_shown", "cached_shown", "output_shown", "since")
    list_filter = (("provider", FieldTextFilter), ("model", FieldTextFilter))
    search_fields = ("provider", "model")
    ordering = ("provider", "model", "-version")

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: ModelCost, form: forms.ModelForm[ModelCost], change: bool) -> None:
        made = set_model_cost(
            provider=obj.provider,
            model=obj.model,
            currency=obj.currency,
            input_token=obj.input_token,
            cached_token=form.cleaned_data["cached_token"],
            output_token=obj.output_token,
            effective_from=form.cleaned_data["effective_from"],
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        obj.__dict__.update(made.__dict__)

    def _per_million(self, value: Decimal, cost: ModelCost) -> str:
        return amount(value * MILLION, cost.currency)

    @display(description=_("per million input"), ordering="input_token")
    def input_shown(self, cost: ModelCost) -> str:
        return self._per_million(cost.input_token, cost)

    @display(description=_("cached"), ordering="cached_token")
    def cached_shown(self, cost: ModelCost) -> str:
        return self._per_million(cost.cached_token, cost)

    @display(description=_("output"), ordering="output_token")
    def output_shown(self, cost: ModelCost) -> str:
        return self._per_million(cost.output_token, cost)

    @display(description=_("effective from"), ordering="effective_from")
    def since(self, cost: ModelCost) -> str:
        return ago(cost.effective_from)
