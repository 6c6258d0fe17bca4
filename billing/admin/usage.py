"""Usage events and their sums: read only, newest first, without counting what is many."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, RangeDateTimeFilter

from billing.data import UsageStatus
from billing.models import Subscription, UsageEvent, UsageRollup
from core.admin import EMPTY, Choice, OfTenant, Question, ReadOnlyAdmin, admin_link, ago, amount, display, dotted
from tenants.api import Tenant

STATUS_COLOURS = {
    UsageStatus.OK: "success",
    UsageStatus.CLIENT_CLOSED: "info",
    UsageStatus.UPSTREAM_ERROR: "danger",
    UsageStatus.STREAM_ERROR: "danger",
    UsageStatus.ABANDONED: "warning",
}
_FAILED = [UsageStatus.UPSTREAM_ERROR, UsageStatus.STREAM_ERROR, UsageStatus.ABANDONED]


class DidItWork(Question):
    title = _("did it work?")
    parameter_name = "worked"
    answers = (
        Choice("yes", _("Yes"), Q(status=UsageStatus.OK)),
        Choice("left", _("The client left"), Q(status=UsageStatus.CLIENT_CLOSED)),
        Choice("no", _("No: provider, stream or gateway failed"), Q(status__in=_FAILED)),
        Choice("estimated", _("Tokens are an estimate"), Q(estimated=True)),
    )


class IsItBilled(Question):
    title = _("is it billed?")
    parameter_name = "billed"
    answers = (
        Choice("yes", _("Yes"), Q(live=True, charge__isnull=False)),
        Choice("no_price", _("No: no price was known"), Q(live=True, charge=None)),
        Choice("test", _("No: a test key"), Q(live=False)),
        Choice("no_cost", _("Its cost is not known"), Q(cost=None)),
    )


class _Named(ReadOnlyAdmin):
    """Rows that keep a tenant's id only, shown with its name."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        name = Tenant.objects.filter(pk=OuterRef("tenant_id")).values("name")
        named: QuerySet[Any] = rows.annotate(tenant_name=Subquery(name))
        return named

    @display(description=_("tenant"))
    def tenant_shown(self, row: Any) -> str:
        return admin_link("tenants_tenant_change", row.tenant_name or row.tenant_id, row.tenant_id)


@admin.register(UsageEvent)
class UsageEventAdmin(_Named):
    list_display = ("when", "tenant_shown", "model", "status_shown", "tokens", "timing", "charge_shown", "cost_shown")
    list_filter = (
        ("occurred_at", RangeDateTimeFilter),
        OfTenant,
        ("model", FieldTextFilter),
        ("provider", FieldTextFilter),
        DidItWork,
        IsItBilled,
    )
    search_fields = ("id__exact",)
    search_help_text = _("The whole request id, req_…")
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageEvent]:
        contract = Subscription.objects.filter(pk=OuterRef("subscription_id"))
        rows = super().get_queryset(request)
        priced: QuerySet[UsageEvent] = rows.annotate(currency=Subquery(contract.values("plan_version__currency")))
        return priced

    @display(description=_("when"))
    def when(self, event: UsageEvent) -> str:
        return ago(event.occurred_at)

    @display(description=_("status"), label=STATUS_COLOURS)
    def status_shown(self, event: UsageEvent) -> tuple[str, str]:
        return event.status, event.status.replace("_", " ")

    @display(description=_("tokens in / cached / out"))
    def tokens(self, event: UsageEvent) -> str:
        mark = " ≈" if event.estimated else ""
        return f"{event.input_tokens:,} / {event.cached_tokens:,} / {event.output_tokens:,}{mark}"

    @display(description=_("first token / whole"))
    def timing(self, event: UsageEvent) -> str:
        first = EMPTY if event.first_token_ms is None else f"{event.first_token_ms:,}"
        return f"{first} / {event.latency_ms:,} ms"

    @display(description=_("charge"))
    def charge_shown(self, event: UsageEvent) -> str:
        return amount(event.charge, event.currency or "")  # type: ignore[attr-defined]

    @display(description=_("cost"))
    def cost_shown(self, event: UsageEvent) -> str:
        return amount(event.cost, "")


@admin.register(UsageRollup)
class UsageRollupAdmin(_Named):
    list_display = (
        "starts_at",
        "grain",
        "tenant_shown",
        "model",
        "requests_shown",
        "failures",
        "tokens",
        "charged",
    )
    list_filter = (
        ("grain", ChoicesDropdownFilter),
        ("starts_at", RangeDateTimeFilter),
        OfTenant,
        ("model", FieldTextFilter),
    )
    ordering = ("-starts_at", "-id")

    @display(description=_("requests"), ordering="requests")
    def requests_shown(self, row: UsageRollup) -> str:
        return dotted(row.requests)

    @display(description=_("tokens in / out"))
    def tokens(self, row: UsageRollup) -> str:
        return f"{row.input_tokens:,} / {row.output_tokens:,}"

    @display(description=_("charge"), ordering="charge")
    def charged(self, row: UsageRollup) -> str:
        return amount(row.charge, "")
