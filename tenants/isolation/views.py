"""REST: the isolation report of one tenant; translates in, calls one service, translates out."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.rest.access import Access
from core.rest.views import TenantView
from tenants.errors import ReportNotFound
from tenants.isolation.reporting import last_reports, run_isolation_report
from tenants.isolation.serializers import IsolationReportSerializer
from tenants.roles import Permission


class IsolationReportDetail(TenantView):
    access = {
        "GET": Access("tenants.view_isolationreport", member=Permission.ISOLATION_VIEW),
        "POST": Access("tenants.add_isolationreport"),
    }

    @extend_schema(operation_id="get_isolation_report", responses=IsolationReportSerializer, tags=["Tenants"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read the newest isolation report: what was tried against the four fences, and what came back."""
        found = last_reports(self.tenant_id, limit=1)
        if not found:
            raise ReportNotFound()
        return Response(IsolationReportSerializer(found[0]).data)

    @extend_schema(
        operation_id="run_isolation_report",
        request=None,
        responses={201: IsolationReportSerializer},
        tags=["Tenants"],
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Run every check against this tenant now. The answer is the report, also when a fence does not hold."""
        report = run_isolation_report(tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now())
        return Response(IsolationReportSerializer(report).data, status=201)
