"""Limits of types, plans and single tenants, and the page that says what holds in the end and why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, FieldTextFilter
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from audit.api import operator_actor
from core.admin import (
    Confirmation,
    LumosModelAdmin,
    action,
    admin_link,
    ago,
    confirm,
    display,
    page,
    plain,
)
from core.clock import utc_now
from core.money import MICRO, from_micro
from quotas.admin.effective import explained_limits, explained_profile
from quotas.data import Dimension, Unit
from quotas.models import PlanLimit, StoredLimit, TenantLimit, TypeLimit
from quotas.selectors import effective_limits
from quotas.services import clear_limit, set_limit, set_plan_limit, set_type_limit
from quotas.values import shown_value
from tenants.api import Tenant, TenantNotFound, TenantType, effective_profile, tenant_by_id


class LimitForm(forms.ModelForm):  # type: ignore[type-arg]
    """Takes money in whole units; the service decides about everything else, uniqueness included."""

    value = forms.DecimalField(
        label=_("Limit"),
        required=False,
        min_value=0,
        widget=UnfoldAdminDecimalFieldWidget(),
        help_text=_("Empty: unlimited. 0: nothing is allowed. Money is in the tenant's currency."),
    )

    class Meta:
        fields = ("dimension", "value", "hard")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = self.instance
        if row.pk and row.value is not None and Dimension(row.dimension).unit is Unit.MICRO:
            self.initial["value"] = plain(from_micro(row.value))

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        value: Decimal | None = given.get("value")
        dimension = given.get("dimension") or self.instance.dimension
        if value is None or not dimension:
            return given
        stored = value * MICRO if Dimension(dimension).unit is Unit.MICRO else value
        if stored != int(stored):
            self.add_error("value", _("This dimension counts in whole numbers; money has at most six places."))
        given["value"] = int(stored)
        return given

    def _get_validation_exclusions(self) -> set[str]:
        """A cleared limit's row is still there, and the service wakes it: no complaint that there is one."""
        return {*super()._get_validation_exclusions(), "dimension"}  # type: ignore[misc]


class _LimitAdmin(LumosModelAdmin):
    form = LimitForm
    subject = ""

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: StoredLimit | None = None) -> tuple[str, ...]:
        return (self.subject, "dimension", "changed_at") if obj else ()

    def get_fields(self, request: HttpRequest, obj: StoredLimit | None = None) -> tuple[str, ...]:
        fields = (self.subject, "dimension", "value", "hard")
        return (*fields, "changed_at") if obj else fields

    def save_model(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], change: bool) -> None:
        common = {
            "dimension": Dimension(obj.dimension),
            "value": form.cleaned_data["value"],
            "hard": obj.hard,
            "acting": operator_actor(request.user),
            "now": utc_now(),
        }
        self.store(obj, common)
        subject = {self.subject: getattr(obj, self.subject)}
        obj.pk = type(obj).objects.get(dimension=obj.dimension, **subject).pk

    def store(self, row: Any, common: dict[str, Any]) -> None:
        raise NotImplementedError  # abstract: each kind of limit has its own service

    @display(description=_("limit"), ordering="value")
    def limit_shown(self, row: StoredLimit) -> str:
        return shown_value(row.dimension, row.value)

    @display(description=_("strictness"), label={"hard": "primary", "soft": "default"})
    def strictness(self, row: StoredLimit) -> tuple[str, str]:
        return ("hard", str(_("hard"))) if row.hard else ("soft", str(_("counted only")))

    @display(description=_("changed"), ordering="changed_at")
    def changed(self, row: StoredLimit) -> str:
        return ago(row.changed_at)


_TYPES: list[tuple[str, Any]] = list(Tenant._meta.get_field("type").flatchoices)


@admin.register(TypeLimit)
class TypeLimitAdmin(_LimitAdmin):
    subject = "tenant_type"
    list_display = ("type_shown", "dimension", "limit_shown", "strictness", "changed")
    list_filter = (("tenant_type", ChoicesDropdownFilter), ("dimension", ChoicesDropdownFilter))
    ordering = ("tenant_type", "dimension")

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "tenant_type":
            kwargs["choices"] = _TYPES
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    @display(description=_("tenant type"), ordering="tenant_type")
    def type_shown(self, row: TypeLimit) -> str:
        return str(dict(_TYPES)[row.tenant_type])

    def store(self, row: TypeLimit, common: dict[str, Any]) -> None:
        set_type_limit(tenant_type=TenantType(row.tenant_type), **common)


@admin.register(PlanLimit)
class PlanLimitAdmin(_LimitAdmin):
    subject = "plan"
    list_display = ("plan", "dimension", "limit_shown", "strictness", "changed")
    list_filter = (("plan", FieldTextFilter), ("dimension", ChoicesDropdownFilter))
    search_fields = ("plan",)
    ordering = ("plan", "dimension")

    def store(self, row: PlanLimit, common: dict[str, Any]) -> None:
        set_plan_limit(plan=row.plan, **common)


@admin.register(TenantLimit)
class TenantLimitAdmin(_LimitAdmin):
    subject = "tenant"
    list_display = ("tenant_shown", "dimension", "limit_shown", "strictness", "until", "changed", "why")
    list_filter = (("tenant", AutocompleteSelectFilter), ("dimension", ChoicesDropdownFilter))
    list_select_related = ("tenant",)
    search_fields = ("tenant__name", "tenant__slug")
    ordering = ("tenant__name", "dimension")
    autocomplete_fields = ("tenant",)
    actions = ("clear_selected",)
    actions_detail = ("clear",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[TenantLimit]:
        rows: QuerySet[TenantLimit] = super().get_queryset(request)
        return rows.filter(is_active=True)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.effective)
        urls: list[URLPattern] = super().get_urls()
        return [path("of/<str:tenant_id>/", view, name="quotas_tenantlimit_effective"), *urls]

    def get_fields(self, request: HttpRequest, obj: StoredLimit | None = None) -> tuple[str, ...]:
        first, *rest = super().get_fields(request, obj)[1:]
        return (self.subject, first, *rest[:2], "expires_at", "reason", *rest[2:])

    def store(self, row: TenantLimit, common: dict[str, Any]) -> None:
        set_limit(tenant_id=row.tenant_id, expires_at=row.expires_at, reason=row.reason, **common)

    @display(description=_("until"), ordering="expires_at")
    def until(self, row: TenantLimit) -> str:
        return ago(row.expires_at)

    @page(permission="view")
    def effective(self, request: HttpRequest, tenant_id: str) -> HttpResponse:
        """What holds for one tenant, where each value comes from, and how much of its limits is used."""
        now = utc_now()
        try:
            tenant, limits = tenant_by_id(tenant_id), effective_limits(tenant_id, now=now)
        except TenantNotFound as error:
            raise Http404 from error
        context = {
            **self.admin_site.each_context(request),
            "title": _("What holds for %(tenant)s") % {"tenant": tenant},
            "opts": self.model._meta,
            "tenant": tenant,
            "profile": explained_profile(effective_profile(tenant_id, now=now)),
            "rows": explained_limits(tenant_id, limits, now),
        }
        return TemplateResponse(request, "admin/lumos/effective.html", context)

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, row: TenantLimit) -> str:
        return admin_link("tenants_tenant_change", row.tenant.name, row.tenant_id)

    @display(description=_("what holds"))
    def why(self, row: TenantLimit) -> str:
        return admin_link("quotas_tenantlimit_effective", _("explain"), row.tenant_id)

    @admin.action(description=_("Clear the selected limits …"), permissions=["operate"])
    def clear_selected(self, request: HttpRequest, rows: QuerySet[TenantLimit]) -> HttpResponse:
        return self._clear(request, list(rows))

    @action(description=_("Clear …"), icon="backspace", permissions=["operate"])
    def clear(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._clear(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _clear(self, request: HttpRequest, rows: list[TenantLimit]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Clear")),
            consequence=str(_("What the plan and the type of the tenant grant holds again, within seconds.")),
            submit=str(_("Clear")),
            done=lambda n: ngettext("%(n)s limit is cleared.", "%(n)s limits are cleared.", n) % {"n": n},
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: TenantLimit, form: forms.Form) -> None:
            clear_limit(tenant_id=row.tenant_id, dimension=Dimension(row.dimension), acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
