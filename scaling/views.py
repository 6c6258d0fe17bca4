"""REST: a tenant's scaling policy beside what runs now, and its decisions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.rest.access import Access
from core.rest.pages import CursorPage
from core.rest.views import TenantView, checked
from scaling.models import ScalingDecision
from scaling.selectors import policy_of, status_of
from scaling.serializers import DecisionQuery, DecisionSerializer, PolicySerializer, ScalingSerializer
from scaling.services import set_policy
from tenants.api import Permission, Scope, tenant_by_id


def scaling_of(tenant_id: str) -> dict[str, Any]:
    policy, status = policy_of(tenant_id), status_of(tenant_id)
    return {
        "policy": policy,
        "version": policy.version,
        "desired": status.desired,
        "workers": status.workers.workers,
        "observed_at": status.observed_at,
        "last_sentence": status.last_sentence,
        "last_decided_at": status.last_decided_at,
    }


class TenantScaling(TenantView):
    access = {
        "GET": Access("scaling.view_scalingpolicy", Scope.USAGE_READ, Permission.USAGE_VIEW),
        "PUT": Access("scaling.change_scalingpolicy"),
    }

    @extend_schema(operation_id="get_scaling", responses=ScalingSerializer, tags=["Scaling"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read a tenant's scaling policy and what it runs."""
        return Response(ScalingSerializer(scaling_of(self.tenant_id)).data)

    @extend_schema(
        operation_id="set_scaling_policy",
        request=PolicySerializer,
        responses={200: ScalingSerializer},
        tags=["Scaling"],
    )
    def put(self, request: Request, tenant_id: str) -> Response:
        """Change a tenant's scaling policy; obeyed from the next round on."""
        given = checked(PolicySerializer, request)
        set_policy(tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now(), **given)
        return Response(ScalingSerializer(scaling_of(self.tenant_id)).data)


class DecisionPage(CursorPage):
    ordering = ("-last_at", "-id")


class DecisionList(TenantView):
    access = {"GET": Access("scaling.view_scalingdecision", Scope.USAGE_READ, Permission.USAGE_VIEW)}
    pagination_class = DecisionPage

    @extend_schema(
        operation_id="list_scaling_decisions",
        parameters=[DecisionQuery],
        responses=DecisionSerializer(many=True),
        tags=["Scaling"],
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """List a tenant's scaling decisions, newest first, each with its sentence."""
        changed = DecisionQuery.of(request)["changed"]
        rows = ScalingDecision.objects.filter(tenant_id=tenant_by_id(self.tenant_id).id)
        if changed is not None:
            rows = rows.filter(changed=changed)
        return self.page(rows, DecisionSerializer)
