"""Deliveries of all tenants' webhooks as the operator sees them: how they fare, never what they say."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django import forms
from django.contrib import admin
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter

from audit.api import operator_actor
from core.admin import Choice, Confirmation, OfTenant, Question, ReadOnlyAdmin, admin_link, ago, confirm, display
from core.clock import utc_now
from tenants.models import Tenant, WebhookDelivery
from tenants.webhooks.data import DeliveryState
from tenants.webhooks.services import resend_delivery

COLOURS = {
    DeliveryState.WAITING: "info",
    DeliveryState.HELD: "warning",
    DeliveryState.DELIVERED: "success",
    DeliveryState.FAILED: "danger",
}


class IsItLate(Question):
    title = _("is it late?")
    parameter_name = "late"
    _late: ClassVar[timedelta] = timedelta(minutes=5)

    @classmethod
    def current_answers(cls) -> tuple[Choice, ...]:
        waiting = Q(state=DeliveryState.WAITING)
        return (
            Choice(
                "overdue", _("Yes: overdue, as if no worker delivered"), waiting & Q(due_at__lt=utc_now() - cls._late)
            ),
            Choice("tried", _("Yes: it failed and is tried again"), waiting & Q(attempts__gt=0)),
            Choice("given_up", _("Yes: given up"), Q(state=DeliveryState.FAILED)),
        )


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    public_kind = "dlv"
    list_display = ("event", "tenant_shown", "endpoint_shown", "state_shown", "attempts", "last", "due", "made")
    list_filter = (IsItLate, OfTenant, ("state", ChoicesDropdownFilter), ("event", FieldTextFilter))
    search_fields = ("id", "tenant_id", "endpoint_id", "message_id")
    search_help_text = _("Id of a delivery, tenant, endpoint or message")
    ordering = ("-created_at", "-id")
    fields = (
        "event",
        "tenant_shown",
        "endpoint_shown",
        "message_id",
        "state",
        "attempts",
        "due_at",
        "last_status",
        "last_error",
        "created_at",
        "finished_at",
    )
    readonly_fields = ("tenant_shown", "endpoint_shown")
    actions = ("resend_selected",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookDelivery]:
        rows: QuerySet[WebhookDelivery] = super().get_queryset(request)
        return rows.annotate(tenant_name=Subquery(Tenant.objects.filter(pk=OuterRef("tenant_id")).values("name")))

    @display(description=_("tenant"))
    def tenant_shown(self, delivery: WebhookDelivery) -> str:
        name = delivery.tenant_name or delivery.tenant_id  # type: ignore[attr-defined]
        return admin_link("tenants_tenant_change", name, delivery.tenant_id)

    @display(description=_("endpoint"), ordering="endpoint_id")
    def endpoint_shown(self, delivery: WebhookDelivery) -> str:
        return f"whe_…{delivery.endpoint_id[-6:]}"

    @display(description=_("state"), ordering="state", label=COLOURS)
    def state_shown(self, delivery: WebhookDelivery) -> tuple[str, str]:
        return delivery.state, delivery.get_state_display()

    @display(description=_("last answer"), ordering="last_status")
    def last(self, delivery: WebhookDelivery) -> str:
        return str(delivery.last_status or delivery.last_error or "")

    @display(description=_("next attempt"), ordering="due_at")
    def due(self, delivery: WebhookDelivery) -> str:
        return ago(delivery.due_at if delivery.state == DeliveryState.WAITING else None)

    @display(description=_("created"), ordering="created_at")
    def made(self, delivery: WebhookDelivery) -> str:
        return ago(delivery.created_at)

    @admin.action(description=_("Send the selected again …"), permissions=["operate"])
    def resend_selected(self, request: HttpRequest, rows: QuerySet[WebhookDelivery]) -> HttpResponse:
        acting, now = operator_actor(request.user), utc_now()
        what = Confirmation(
            title=str(_("Send again")),
            consequence=str(_("Each is sent once more under its old webhook-id, also what was delivered already.")),
            submit=str(_("Send again")),
            done=lambda n: ngettext("%(n)s delivery is due again.", "%(n)s deliveries are due again.", n) % {"n": n},
        )

        def perform(row: WebhookDelivery, form: forms.Form) -> None:
            resend_delivery(tenant_id=row.tenant_id, delivery_id=row.pk, acting=acting, now=now)

        return confirm(self, request, list(rows), what, perform)
