"""REST: the catalogue of models, and the providers behind it."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from core.clock import utc_now
from core.rest.access import Access
from core.rest.pages import WholePage, whole
from core.rest.queries import NoQuery
from core.rest.views import ApiView
from core.tenancy import platform_scope
from proxy.selectors import all_models, all_providers, models_of
from proxy.serializers import ModelSerializer, ProviderSerializer
from tenants.api import Permission, Scope

_INTERNAL = ("provider", "upstream_name", "default_output")


class ModelList(ApiView):
    access = {"GET": Access("proxy.view_model", Scope.INFERENCE, Permission.MODELS_VIEW)}
    pagination_class = WholePage

    @extend_schema(operation_id="list_models", responses=ModelSerializer(many=True), tags=["Catalogue"])
    def get(self, request: Request) -> Response:
        """List models: operators see all with their providers, tenants see what they may use."""
        NoQuery.of(request)
        if self.caller.is_operator:
            return whole(list(ModelSerializer(all_models(), many=True).data))
        assert self.caller.tenant is not None
        with platform_scope():  # the catalogue belongs to no tenant; what is internal goes off before it is shown
            served = [asdict(model) for model in models_of(self.caller.tenant.id, now=utc_now())]
        shown = [{name: value for name, value in model.items() if name not in _INTERNAL} for model in served]
        return whole(list(ModelSerializer(shown, many=True).data))


class ProviderList(ApiView):
    access = {"GET": Access("proxy.view_provider")}
    pagination_class = WholePage

    @extend_schema(operation_id="list_providers", responses=ProviderSerializer(many=True), tags=["Catalogue"])
    def get(self, request: Request) -> Response:
        """List providers; of their keys only name and last four characters."""
        NoQuery.of(request)
        return whole(list(ProviderSerializer(all_providers(), many=True).data))
