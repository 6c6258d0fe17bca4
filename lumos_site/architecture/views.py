"""REST: the map of modules, for operators."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from core.rest.access import Access
from core.rest.views import ApiView
from lumos_site.architecture.plan import multitenant_plan


class SplitSerializer(serializers.Serializer[Any]):
    level = serializers.ChoiceField(choices=["ready", "database", "code"])
    blocked_by = serializers.ListField(child=serializers.CharField())


class ModuleSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    purpose = serializers.CharField()
    contract = serializers.DictField(help_text="functions, types, events, routes and tasks")
    data_scope = serializers.ListField(child=serializers.DictField())
    health = serializers.DictField()
    metrics = serializers.ListField(child=serializers.DictField())
    uses = serializers.ListField(child=serializers.CharField())
    used_by = serializers.ListField(child=serializers.CharField())
    split = SplitSerializer(help_text="Whether it could run apart: ready, or what ties it")


class MultitenantPlanSerializer(serializers.Serializer[Any]):
    modules = ModuleSerializer(many=True)
    probes = serializers.DictField()


class MultitenantPlan(ApiView):
    access: ClassVar[dict[str, Access]] = {"GET": Access("tenants.view_schemastate")}

    @extend_schema(operation_id="get_multitenant_plan", responses=MultitenantPlanSerializer, tags=["Architecture"])
    def get(self, request: Request) -> Response:
        """Read the map of this installation's modules, made from its code and its servers as they are now."""
        return Response(multitenant_plan())
