"""REST: from where a tenant's programs and people may call; translates in, calls one service, translates out."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.address import exact_address
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.views import TenantView, checked
from core.tenancy import platform_scope
from tenants.data import Scope
from tenants.errors import KeyNotFound
from tenants.grants import Reach, beyond
from tenants.models import ApiKey
from tenants.roles import Permission
from tenants.selectors import reach_of, tenant_by_id
from tenants.serializers import ApiKeySerializer
from tenants.services.networks import set_key_networks, set_tenant_networks

_CONFIRM = "Also when the caller's own address is in none of them"


def networks_field(help_text: str, **more: Any) -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=60), max_length=200, help_text=help_text, **more
    )


class NetworksSerializer(serializers.Serializer[Any]):
    networks = networks_field("Where programs with a key may call from; empty: from everywhere", required=False)
    portal_networks = networks_field("Where people may open the portal from; empty: from everywhere", required=False)
    confirm = serializers.BooleanField(default=False, write_only=True, help_text=_CONFIRM)


class KeyNetworksSerializer(serializers.Serializer[Any]):
    networks = networks_field("Where this key may be used, under its tenant's own list; empty: no list of its own")
    confirm = serializers.BooleanField(default=False, help_text=_CONFIRM)


class TenantNetworks(TenantView):
    access: ClassVar[dict[str, Access]] = {
        "GET": Access("tenants.view_tenant", member=Permission.NETWORKS_MANAGE),
        "PUT": Access("tenants.change_tenant", member=Permission.NETWORKS_MANAGE),
    }

    @extend_schema(operation_id="get_networks", responses=NetworksSerializer, tags=["Networks"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read the networks that a tenant's programs and people may come from."""
        with platform_scope():
            tenant = tenant_by_id(self.tenant_id)
        return _shown(tenant.allowed_networks, tenant.portal_networks)

    @extend_schema(
        operation_id="set_networks", request=NetworksSerializer, responses=NetworksSerializer, tags=["Networks"]
    )
    def put(self, request: Request, tenant_id: str) -> Response:
        """Set them; a list that is left out stays. A member keeps their own address in, or confirms."""
        given = checked(NetworksSerializer, request)
        guarded = self.caller.is_member and not given["confirm"]
        with platform_scope():
            tenant = set_tenant_networks(
                tenant_id=self.tenant_id,
                networks=given.get("networks"),
                portal_networks=given.get("portal_networks"),
                own_address=exact_address(request._request) if guarded else "",
                acting=caller_actor(self.caller),
                now=utc_now(),
            )
        return _shown(tenant.allowed_networks, tenant.portal_networks)


class KeyNetworks(TenantView):
    access: ClassVar[dict[str, Access]] = {
        "PUT": Access("tenants.change_apikey", Scope.KEYS_WRITE, Permission.KEYS_MANAGE),
    }

    @extend_schema(
        operation_id="set_key_networks", request=KeyNetworksSerializer, responses=ApiKeySerializer, tags=["API keys"]
    )
    def put(self, request: Request, tenant_id: str, key_id: str) -> Response:
        """Set where a key may be used. A key gives no other one more than it has, and keeps its own caller in."""
        try:
            bare = parse_prefixed("key", key_id)
        except InvalidInput as error:
            raise KeyNotFound() from error
        given = checked(KeyNetworksSerializer, request)
        guarded = self.caller.id == key_id and not given["confirm"]
        self._check_grant(given["networks"])
        key = set_key_networks(
            tenant_id=self.tenant_id,
            key_id=bare,
            networks=given["networks"],
            own_address=exact_address(request._request) if guarded else "",
            acting=caller_actor(self.caller),
            now=utc_now(),
        )
        return Response(ApiKeySerializer(key).data)

    def _check_grant(self, networks: list[str]) -> None:
        if self.caller.is_operator or self.caller.is_member:
            return
        own = reach_of(ApiKey.objects.get(pk=parse_prefixed("key", self.caller.id)))
        wanted = Reach(own.scopes, own.live, own.models, own.limits, own.expires_at, tuple(networks))
        if fields := beyond(own, wanted):
            raise InvalidInput("Nobody can give more than they have", fields=fields)


def _shown(networks: list[str], portal_networks: list[str]) -> Response:
    return Response({"networks": networks, "portal_networks": portal_networks})
