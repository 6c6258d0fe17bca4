"""REST: a tenant's usage, its events, its running bill and its plan, and the plans that are sold."""

from __future__ import annotations

from collections.abc import Sequence

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from billing.data import UsageFigures, UsagePoint
from billing.figures import usage_by_day, usage_by_hour
from billing.models import UsageEvent
from billing.selectors import plan_offers, running_bill, subscription_facts
from billing.serializers import (
    OPEN_FIELDS,
    BillSerializer,
    EventQuery,
    EventSerializer,
    FullEventSerializer,
    NewSubscriptionSerializer,
    PlanSerializer,
    SeriesSerializer,
    SubscriptionSerializer,
    UsageQuery,
)
from billing.services.contracts import subscribe_tenant
from core.clock import utc_now
from core.rest.access import Access
from core.rest.pages import CursorPage, WholePage, whole
from core.rest.queries import NoQuery
from core.rest.views import ApiView, TenantView, checked
from tenants.api import Permission, Scope, tenant_by_id

_SUMS = ("requests", "failures", "input_tokens", "cached_tokens", "output_tokens", "charge")


def _sum(points: Sequence[UsagePoint]) -> UsageFigures:
    """The points' sums; Decimal stays Decimal."""
    start = UsageFigures()
    return UsageFigures(
        **{name: sum((getattr(p.figures, name) for p in points), getattr(start, name)) for name in _SUMS}
    )


class Usage(TenantView):
    access = {"GET": Access("billing.view_usagerollup", Scope.USAGE_READ, Permission.USAGE_VIEW)}

    @extend_schema(operation_id="get_usage", parameters=[UsageQuery], responses=SeriesSerializer, tags=["Usage"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read sums of usage by UTC hour or day, whole ones; those without usage are there too."""
        query = UsageQuery.of(request)
        since, until = query["since"], query["until"]
        read = usage_by_hour if query["by"] == "hour" else usage_by_day
        points = read(tenant_by_id(self.tenant_id).id, since, until, query["model"])
        series = {"by": query["by"], "since": since, "until": until, "total": _sum(points), "data": points}
        return Response(SeriesSerializer(series).data)


class EventPage(CursorPage):
    """By id alone: ids begin with their time, and the key's index has them in order."""

    ordering = ("-id",)


class UsageEvents(TenantView):
    access = {"GET": Access("billing.view_usageevent", Scope.USAGE_READ, Permission.USAGE_VIEW)}
    pagination_class = EventPage

    @extend_schema(
        operation_id="list_usage_events",
        parameters=[EventQuery],
        responses=FullEventSerializer(many=True),
        tags=["Usage"],
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """List usage events, newest first. Tenants' keys see everything but `cost`."""
        query = EventQuery.of(request)
        rows = UsageEvent.objects.filter(tenant_id=tenant_by_id(self.tenant_id).id)
        rows = rows.filter(**{name: query[name] for name in ("model", "status", "key_id") if name in query})
        if "since" in query:
            rows = rows.filter(occurred_at__gte=query["since"])
        if "until" in query:
            rows = rows.filter(occurred_at__lt=query["until"])
        if self.caller.is_operator:
            return self.page(rows, FullEventSerializer)
        return self.page(rows.only(*OPEN_FIELDS), EventSerializer)


class RunningBill(TenantView):
    access = {"GET": Access("billing.view_subscription", Scope.USAGE_READ, Permission.BILL_VIEW)}

    @extend_schema(operation_id="get_bill", responses=BillSerializer, tags=["Billing"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read the bill of the running period, as far as usage was taken in."""
        NoQuery.of(request)
        return Response(BillSerializer(running_bill(tenant_by_id(self.tenant_id).id, utc_now())).data)


class TenantSubscription(TenantView):
    access = {
        "GET": Access("billing.view_subscription", Scope.USAGE_READ, Permission.BILL_VIEW),
        "POST": Access("billing.add_subscription"),
    }

    @extend_schema(operation_id="get_subscription", responses=SubscriptionSerializer, tags=["Billing"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read the contract in force."""
        return self._answer(200)

    @extend_schema(
        operation_id="subscribe_tenant",
        request=NewSubscriptionSerializer,
        responses={201: SubscriptionSerializer},
        tags=["Billing"],
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Put the tenant on the newest version of a plan from now on."""
        plan = checked(NewSubscriptionSerializer, request)["plan"]
        acting = caller_actor(self.caller)
        subscribe_tenant(tenant_id=self.tenant_id, plan_code=plan, acting=acting, now=utc_now())
        return self._answer(201)

    def _answer(self, status: int) -> Response:
        facts = subscription_facts(tenant_by_id(self.tenant_id).id, utc_now())
        return Response(SubscriptionSerializer(facts).data, status=status)


class PlanList(ApiView):
    access = {"GET": Access("billing.view_plan", Scope.USAGE_READ, Permission.BILL_VIEW)}
    pagination_class = WholePage

    @extend_schema(operation_id="list_plans", responses=PlanSerializer(many=True), tags=["Catalogue"])
    def get(self, request: Request) -> Response:
        """List the plans that are sold, each in its newest version."""
        NoQuery.of(request)
        return whole(list(PlanSerializer(plan_offers(), many=True).data))
