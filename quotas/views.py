"""REST: what limits hold for a tenant and why, and a tenant's own limits."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.errors import NotFound, Unavailable
from core.rest.access import Access
from core.rest.pages import WholePage, whole
from core.rest.queries import NoQuery
from core.rest.views import TenantView, checked
from quotas.data import Dimension, Limit, LimitStep, MeterReading
from quotas.effective_serializers import EffectiveValuesSerializer
from quotas.selectors import effective_limits, usage_of
from quotas.serializers import LimitSerializer, NewLimitSerializer
from quotas.services import clear_limit, set_limit
from tenants.api import Permission, Scope, effective_profile, tenant_by_id

DIMENSION = OpenApiParameter("dimension", str, OpenApiParameter.PATH, enum=[dimension.value for dimension in Dimension])


def limits_of(tenant_id: str) -> list[dict[str, Any]]:
    """The tenant's limits with use and explanation; raises TenantNotFound."""
    limits = effective_limits(tenant_id, now=utc_now())
    try:
        meters = {reading.dimension: reading for reading in usage_of(tenant_id, now=utc_now())}
    except Unavailable:  # the limits are true without the counters
        meters = {}
    return [
        _shown(limit, meters.get(limit.dimension), limits.steps.get(limit.dimension, ())) for limit in limits.limits
    ]


def _shown(limit: Limit, reading: MeterReading | None, steps: tuple[LimitStep, ...]) -> dict[str, Any]:
    return {
        "dimension": limit.dimension,
        "unit": limit.dimension.unit.name.lower(),
        "value": limit.value,
        "hard": limit.hard,
        "source": limit.source,
        "used": reading.used if reading else None,
        "held": reading.held if reading else None,
        "resets_at": reading.resets_at if reading else None,
        "explanation": [asdict(step) for step in steps],
    }


class LimitList(TenantView):
    access = {"GET": Access("quotas.view_tenantlimit", Scope.USAGE_READ, Permission.USAGE_VIEW)}
    pagination_class = WholePage

    @extend_schema(operation_id="list_limits", responses=LimitSerializer(many=True), tags=["Limits"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """List the limits that hold, how much of each is used, and how each came about."""
        NoQuery.of(request)
        return whole(list(LimitSerializer(limits_of(self.tenant_id), many=True).data))


class EffectiveValues(TenantView):
    access = {"GET": Access("quotas.view_tenantlimit", Scope.USAGE_READ, Permission.USAGE_VIEW)}

    @extend_schema(operation_id="get_effective_values", responses=EffectiveValuesSerializer, tags=["Profiles"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read everything that holds for a tenant: profile, overrides and limits, each with where it comes from."""
        NoQuery.of(request)
        profile = effective_profile(self.tenant_id, now=utc_now())
        shown = {
            "type": profile.type,
            "plan": tenant_by_id(self.tenant_id).plan,
            "values": list(profile.values.values()),
            "limits": limits_of(self.tenant_id),
        }
        return Response(EffectiveValuesSerializer(shown).data)


class LimitDetail(TenantView):
    access = {"PUT": Access("quotas.change_tenantlimit"), "DELETE": Access("quotas.change_tenantlimit")}

    @extend_schema(
        operation_id="set_limit",
        parameters=[DIMENSION],
        request=NewLimitSerializer,
        responses={200: LimitSerializer},
        tags=["Limits"],
    )
    def put(self, request: Request, tenant_id: str, dimension: str) -> Response:
        """Give the tenant a limit of its own, over what its type and plan grant."""
        given = checked(NewLimitSerializer, request)
        asked = _dimension(dimension)
        acting = caller_actor(self.caller)
        set_limit(tenant_id=self.tenant_id, dimension=asked, acting=acting, now=utc_now(), **given)
        return self._answer(asked)

    @extend_schema(
        operation_id="clear_limit", parameters=[DIMENSION], responses={200: LimitSerializer}, tags=["Limits"]
    )
    def delete(self, request: Request, tenant_id: str, dimension: str) -> Response:
        """Take the tenant's own limit away, so that plan and type decide again; the answer is what holds then."""
        asked = _dimension(dimension)
        clear_limit(tenant_id=self.tenant_id, dimension=asked, acting=caller_actor(self.caller), now=utc_now())
        return self._answer(asked)

    def _answer(self, dimension: Dimension) -> Response:
        [limit] = [row for row in limits_of(self.tenant_id) if row["dimension"] is dimension]
        return Response(LimitSerializer(limit).data)


def _dimension(text: str) -> Dimension:
    try:
        return Dimension(text)
    except ValueError as error:
        known = ", ".join(dimension.value for dimension in Dimension)
        raise NotFound("There is no such dimension", next_step=f"Choose from: {known}") from error
