"""Isolation reports as the operator reads and runs them; the checks themselves are in tenants/isolation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.api import operator_actor
from core.admin import OfTenant, ReadOnlyAdmin, admin_link, ago, display, page
from core.clock import utc_now
from tenants.errors import TenantNotFound
from tenants.isolation.registry import CheckResult, FenceKind, Outcome, title_of
from tenants.isolation.reporting import last_reports, report_checks, run_isolation_report
from tenants.models import IsolationReport
from tenants.selectors import tenant_by_id

COLOURS = {Outcome.PASSED: "success", Outcome.FAILED: "danger", Outcome.COULD_NOT_RUN: "warning"}
FENCES = {
    FenceKind.DATA: _("Data"),
    FenceKind.NETWORK: _("Network"),
    FenceKind.COMPUTE: _("Compute"),
    FenceKind.STORAGE: _("Storage"),
}
OUTCOMES = {
    Outcome.PASSED: _("Passed"),
    Outcome.FAILED: _("Failed"),
    Outcome.NOT_APPLICABLE: _("Nothing to try"),
    Outcome.COULD_NOT_RUN: _("Could not run"),
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A check as the page has it."""

    result: CheckResult
    fence: Any
    title: str
    outcome: Any


def _shown(report: IsolationReport) -> list[_Shown]:
    return [
        _Shown(result, FENCES[result.fence], title_of(result.name), OUTCOMES[result.outcome])
        for result in report_checks(report)
    ]


@admin.register(IsolationReport)
class IsolationReportAdmin(ReadOnlyAdmin):
    public_kind = "iso"
    list_display = ("public_id", "tenant_shown", "ran", "outcome_shown", "took_ms", "asked_by")
    list_filter = (OfTenant, ("outcome", ChoicesDropdownFilter))
    search_fields = ("id", "tenant_id")
    search_help_text = _("Report or tenant id")
    ordering = ("-ran_at", "-id")
    fields = ("tenant_shown", "ran_at", "took_ms", "asked_by", "outcome", "checks")
    readonly_fields = ("tenant_shown",)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.of_tenant)
        urls: list[URLPattern] = super().get_urls()
        return [path("of/<str:tenant_id>/", view, name="tenants_isolationreport_of"), *urls]

    @page(permission="view")
    def of_tenant(self, request: HttpRequest, tenant_id: str) -> HttpResponse:
        """The newest report of one tenant with its evidence, those before it, and the button that runs one."""
        try:
            tenant = tenant_by_id(tenant_id)
        except TenantNotFound as error:
            raise Http404 from error
        if request.method == "POST":
            return self._run(request, tenant_id)
        reports = last_reports(tenant_id)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Isolation of %(tenant)s") % {"tenant": tenant},
            "opts": self.model._meta,
            "tenant": tenant,
            "report": reports[0] if reports else None,
            "checks": _shown(reports[0]) if reports else [],
            "before": reports[1:],
            "may_run": self.has_operate_permission(request),
        }
        return TemplateResponse(request, "admin/lumos/isolation.html", context)

    def _run(self, request: HttpRequest, tenant_id: str) -> HttpResponse:
        if not self.has_operate_permission(request):
            raise PermissionDenied
        report = run_isolation_report(tenant_id=tenant_id, acting=operator_actor(request.user), now=utc_now())
        say = messages.success if report.outcome == Outcome.PASSED else messages.error
        say(request, _("The report ran: %(outcome)s.") % {"outcome": report.get_outcome_display()})
        return HttpResponseRedirect(reverse("admin:tenants_isolationreport_of", args=[tenant_id]))

    @display(description=_("tenant"))
    def tenant_shown(self, report: IsolationReport) -> SafeString:
        return admin_link("tenants_isolationreport_of", f"ten_{report.tenant_id}", report.tenant_id)

    @display(description=_("ran"), ordering="ran_at")
    def ran(self, report: IsolationReport) -> str:
        return ago(report.ran_at)

    @display(description=_("outcome"), ordering="outcome", label=COLOURS)
    def outcome_shown(self, report: IsolationReport) -> tuple[str, str]:
        return report.outcome, report.get_outcome_display()
