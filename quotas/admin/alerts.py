"""Thresholds that use rose over: read only, linked to what holds for the tenant."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin import OfTenant, ReadOnlyAdmin, admin_link, ago, display
from quotas.models import QuotaAlert
from quotas.values import shown_value
from tenants.api import Tenant


@admin.register(QuotaAlert)
class QuotaAlertAdmin(ReadOnlyAdmin):
    list_display = ("when", "tenant_shown", "dimension", "threshold_shown", "level_shown", "scope", "period")
    list_filter = (("dimension", ChoicesDropdownFilter), OfTenant)
    ordering = ("-reached_at", "-id")

    def get_queryset(self, request: HttpRequest) -> QuerySet[QuotaAlert]:
        rows: QuerySet[QuotaAlert] = super().get_queryset(request)
        return rows.annotate(tenant_name=Subquery(Tenant.objects.filter(pk=OuterRef("tenant_id")).values("name")))

    @display(description=_("reached"), ordering="reached_at")
    def when(self, alert: QuotaAlert) -> str:
        return ago(alert.reached_at)

    @display(description=_("tenant"))
    def tenant_shown(self, alert: QuotaAlert) -> str:
        name = alert.tenant_name or alert.tenant_id  # type: ignore[attr-defined]
        return admin_link("quotas_tenantlimit_effective", name, alert.tenant_id)

    @display(description=_("threshold"), ordering="threshold", label={80: "info", 90: "warning", 95: "danger"})
    def threshold_shown(self, alert: QuotaAlert) -> tuple[int, str]:
        return alert.threshold, f"{alert.threshold} %"

    @display(description=_("used of limit"))
    def level_shown(self, alert: QuotaAlert) -> str:
        return f"{shown_value(alert.dimension, alert.level)} / {shown_value(alert.dimension, alert.limit)}"
