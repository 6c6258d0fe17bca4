"""Plan versions: a new one is published from a form that starts with the newest terms; none is ever changed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from audit.api import operator_actor
from billing.data import Meter, PlanPrice, PriceTerms
from billing.models import PlanVersion, Price
from billing.services.catalogue import publish_plan_version
from core.admin import EMPTY, Choice, LumosModelAdmin, Question, ago, amount, display, dotted, plain
from core.clock import utc_now
from core.json_field import StorableJSONField, is_list_of_objects

ONE_TIER = ({"up_to": None, "unit_amount": "0", "flat_amount": "0"},)
PRICE_FIELDS = ("meter", "model", "charge_model", "included_units", "package_size", "tiers")


def tiers_fault(value: Any) -> str:
    """What is wrong with the tiers that somebody typed, before anybody reckons with them; "" when nothing is."""
    if fault := is_list_of_objects(value):
        return fault
    for tier in value:
        unknown = tier.keys() - {"up_to", "unit_amount", "flat_amount"}
        numbers = [tier.get("unit_amount"), tier.get("flat_amount", "0")]
        bounds = [] if tier.get("up_to") is None else [tier["up_to"]]
        if unknown or "up_to" not in tier or not all(map(_is_number, (*numbers, *bounds))):
            return str(_("Each tier has up_to, unit_amount and flat_amount, as numbers in quotation marks."))
    return ""


def _is_number(value: object) -> bool:
    """Of a text or a whole number: what JSON calls a fraction is none of ours, since it is not exact."""
    if type(value) is int:
        return True
    try:
        return isinstance(value, str) and Decimal(value).is_finite()
    except ArithmeticError:
        return False


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """A row of the price list; a row without a meter is an empty row."""

    meter = forms.ChoiceField(
        label=_("Meter"),
        choices=[("", EMPTY), *Price._meta.get_field("meter").flatchoices],
        widget=UnfoldAdminSelectWidget(),
    )
    tiers = StorableJSONField(
        shape=tiers_fault,
        label=_("Tiers"),
        initial=list(ONE_TIER),
        widget=UnfoldAdminTextareaWidget({"rows": 2, "cols": 60}),
        help_text=_("List of up_to (inclusive, null for the last), unit_amount and flat_amount."),
    )

    class Meta:
        model = Price
        fields = PRICE_FIELDS


class PriceInline(TabularInline):  # type: ignore[misc]
    model = Price
    form = PriceForm
    fields = PRICE_FIELDS
    extra = 0

    def get_extra(self, request: HttpRequest, obj: PlanVersion | None = None, **kwargs: Any) -> int:
        return 0 if obj else max(len(newest_prices(request)), 3)

    def has_change_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: PlanVersion | None = None) -> bool:
        return obj is None


def newest_of(request: HttpRequest) -> PlanVersion | None:
    """The newest published version of the plan that the address names."""
    versions = PlanVersion.objects.filter(plan_id=request.GET.get("plan", ""), published_at__isnull=False)
    return versions.prefetch_related("prices").order_by("-number").first()


def newest_prices(request: HttpRequest) -> list[dict[str, Any]]:
    version = newest_of(request)
    return [_typed(price) for price in version.prices.all()] if version else []


def _typed(price: Price) -> dict[str, Any]:
    """A price as a person would type it."""
    row = {name: getattr(price, name) for name in PRICE_FIELDS}
    row |= {name: plain(row[name]) for name in ("included_units", "package_size")}
    row["tiers"] = [{name: value and plain(Decimal(value)) for name, value in tier.items()} for tier in price.tiers]
    return row


class IsItSold(Question):
    title = _("is it sold?")
    parameter_name = "sold"
    answers = (
        Choice("yes", _("Yes"), Q(published_at__isnull=False, retired_at=None)),
        Choice("draft", _("Not yet: a draft"), Q(published_at=None)),
        Choice("retired", _("No more: retired"), Q(retired_at__isnull=False)),
    )


class VersionForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = PlanVersion
        fields = ("plan", "currency", "monthly_fee")


@admin.register(PlanVersion)
class PlanVersionAdmin(LumosModelAdmin):
    form = VersionForm
    list_display = ("code", "plan", "fee", "prices_shown", "published", "retired")
    list_filter = (IsItSold, ("plan", RelatedDropdownFilter))
    list_select_related = ("plan",)
    search_fields = ("code", "plan__name")
    ordering = ("plan__position", "plan__code", "-number")
    add_fieldsets = ((None, {"fields": ("plan", "currency", "monthly_fee")}),)
    fieldsets = ((None, {"fields": ("plan", "code", "currency", "monthly_fee", "published_at", "retired_at")}),)
    inlines = (PriceInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanVersion]:
        rows: QuerySet[PlanVersion] = super().get_queryset(request)
        return rows.annotate(price_count=Count("prices"))

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        given: dict[str, Any] = super().get_changeform_initial_data(request)
        newest = newest_of(request)
        if newest:
            given |= {"currency": newest.currency, "monthly_fee": plain(newest.monthly_fee)}
        return given

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        given: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if request.method == "GET" and obj._state.adding:
            given["initial"] = newest_prices(request)
        return given

    def save_model(
        self, request: HttpRequest, obj: PlanVersion, form: forms.ModelForm[PlanVersion], change: bool
    ) -> None:
        """Published together with its prices, in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        version = form.instance
        made = publish_plan_version(
            plan_code=version.plan.code,
            currency=version.currency,
            monthly_fee=version.monthly_fee,
            prices=[_price(row.cleaned_data) for row in formsets[0] if row.has_changed()],
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        version.__dict__.update(made.__dict__)
        for formset in formsets:
            formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []

    @display(description=_("monthly fee"), ordering="monthly_fee")
    def fee(self, version: PlanVersion) -> str:
        return amount(version.monthly_fee, version.currency)

    @display(description=_("prices"))
    def prices_shown(self, version: PlanVersion) -> str:
        number: int = version.price_count  # type: ignore[attr-defined]
        return dotted(number)

    @display(description=_("published"), ordering="published_at")
    def published(self, version: PlanVersion) -> str:
        return ago(version.published_at)

    @display(description=_("retired"), ordering="retired_at")
    def retired(self, version: PlanVersion) -> str:
        return ago(version.retired_at)


def _price(row: dict[str, Any]) -> PlanPrice:
    terms = {
        "charge_model": row["charge_model"],
        "tiers": row["tiers"],
        "included_units": str(row["included_units"]),
        "package_size": str(row["package_size"]),
    }
    return PlanPrice(Meter(row["meter"]), row["model"], PriceTerms.from_dict(terms))
