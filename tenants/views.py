"""REST: tenants and their API keys; translates in, calls one service, translates out."""

from __future__ import annotations

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.errors import InvalidInput
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.pages import CursorPage
from core.rest.views import ApiView, TenantView, checked
from tenants.data import Scope, TenantStatus, TenantType
from tenants.errors import KeyNotFound
from tenants.grants import Reach, beyond, wanted_reach
from tenants.models import ApiKey, Tenant
from tenants.roles import Permission, grantable_scopes
from tenants.selectors import reach_of, tenant_by_id
from tenants.serializers import (
    ApiKeySerializer,
    CreatedKeySerializer,
    DeletionSerializer,
    KeyQuery,
    NewKeySerializer,
    NewTenantSerializer,
    ReasonSerializer,
    TenantQuery,
    TenantSerializer,
)
from tenants.services.deletion import cancel_deletion, delete_tenant
from tenants.services.keys import create_api_key, revoke_api_key
from tenants.services.lifecycle import archive_tenant, create_tenant, restore_tenant, resume_tenant, suspend_tenant


class TenantList(ApiView):
    access = {"GET": Access("tenants.view_tenant"), "POST": Access("tenants.add_tenant")}
    pagination_class = CursorPage

    @extend_schema(
        operation_id="list_tenants", parameters=[TenantQuery], responses=TenantSerializer(many=True), tags=["Tenants"]
    )
    def get(self, request: Request) -> Response:
        """List tenants, newest first; deleted ones only when their status is asked for."""
        query = TenantQuery.of(request)
        rows = Tenant.objects.filter(**{name: query[name] for name in ("status", "type", "plan") if name in query})
        if "status" not in query:
            rows = rows.exclude(status=TenantStatus.DELETED)
        if "search" in query:
            rows = rows.filter(Q(name__icontains=query["search"]) | Q(slug__icontains=query["search"]))
        return self.page(rows, TenantSerializer)

    @extend_schema(
        operation_id="create_tenant", request=NewTenantSerializer, responses={201: TenantSerializer}, tags=["Tenants"]
    )
    def post(self, request: Request) -> Response:
        """Create a tenant with its schema, role and portal address."""
        given = checked(NewTenantSerializer, request)
        given["type"] = TenantType(given["type"])
        tenant = create_tenant(**given, acting=caller_actor(self.caller), now=utc_now())
        return Response(TenantSerializer(tenant).data, status=201)


class TenantDetail(TenantView):
    access = {
        "GET": Access("tenants.view_tenant", Scope.USAGE_READ, Permission.HOME_VIEW),
        "DELETE": Access("tenants.delete_tenant"),
    }

    @extend_schema(operation_id="get_tenant", responses=TenantSerializer, tags=["Tenants"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read one tenant."""
        return Response(TenantSerializer(tenant_by_id(self.tenant_id)).data)

    @extend_schema(
        operation_id="delete_tenant", request=DeletionSerializer, responses={202: TenantSerializer}, tags=["Tenants"]
    )
    def delete(self, request: Request, tenant_id: str) -> Response:
        """Stop a tenant at once, and delete it for good when the grace period is over."""
        given = checked(DeletionSerializer, request)
        tenant = delete_tenant(
            tenant_id=self.tenant_id,
            typed_name=given["name"],
            reason=given["reason"],
            export=given["export"],
            acting=caller_actor(self.caller),
            now=utc_now(),
        )
        return Response(TenantSerializer(tenant).data, status=202)


class CancelDeletion(TenantView):
    access = {"POST": Access("tenants.change_tenant")}

    @extend_schema(operation_id="cancel_deletion", request=None, responses={200: TenantSerializer}, tags=["Tenants"])
    def post(self, request: Request, tenant_id: str) -> Response:
        """Take a deletion back while its grace period lasts; the tenant is again what it was."""
        tenant = cancel_deletion(tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now())
        return Response(TenantSerializer(tenant).data)


class SuspendTenant(TenantView):
    access = {"POST": Access("tenants.change_tenant")}

    @extend_schema(
        operation_id="suspend_tenant", request=ReasonSerializer, responses={200: TenantSerializer}, tags=["Tenants"]
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Stop a tenant's traffic within five seconds; its data stays."""
        reason = checked(ReasonSerializer, request)["reason"]
        acting = caller_actor(self.caller)
        tenant = suspend_tenant(tenant_id=self.tenant_id, reason=reason, acting=acting, now=utc_now())
        return Response(TenantSerializer(tenant).data)


class ResumeTenant(TenantView):
    access = {"POST": Access("tenants.change_tenant")}

    @extend_schema(operation_id="resume_tenant", request=None, responses={200: TenantSerializer}, tags=["Tenants"])
    def post(self, request: Request, tenant_id: str) -> Response:
        """Let a suspended tenant's traffic flow again."""
        tenant = resume_tenant(tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now())
        return Response(TenantSerializer(tenant).data)


class ArchiveTenant(TenantView):
    access = {"POST": Access("tenants.change_tenant")}

    @extend_schema(
        operation_id="archive_tenant", request=ReasonSerializer, responses={200: TenantSerializer}, tags=["Tenants"]
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Put a tenant away: no traffic, no workers, keys refused; its data stays."""
        reason = checked(ReasonSerializer, request)["reason"]
        acting = caller_actor(self.caller)
        tenant = archive_tenant(tenant_id=self.tenant_id, reason=reason, acting=acting, now=utc_now())
        return Response(TenantSerializer(tenant).data)


class RestoreTenant(TenantView):
    access = {"POST": Access("tenants.change_tenant")}

    @extend_schema(operation_id="restore_tenant", request=None, responses={200: TenantSerializer}, tags=["Tenants"])
    def post(self, request: Request, tenant_id: str) -> Response:
        """Bring an archived tenant back, active, with its keys and data."""
        tenant = restore_tenant(tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now())
        return Response(TenantSerializer(tenant).data)


class KeyList(TenantView):
    access = {
        "GET": Access("tenants.view_apikey", Scope.KEYS_READ, Permission.KEYS_VIEW),
        "POST": Access("tenants.add_apikey", Scope.KEYS_WRITE, Permission.KEYS_MANAGE),
    }
    pagination_class = CursorPage

    @extend_schema(
        operation_id="list_keys", parameters=[KeyQuery], responses=ApiKeySerializer(many=True), tags=["API keys"]
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """List a tenant's keys, newest first; of each only prefix and last four characters."""
        revoked = KeyQuery.of(request)["revoked"]
        rows = ApiKey.objects.filter(tenant=tenant_by_id(self.tenant_id))
        if revoked is not None:
            rows = rows.filter(revoked_at__isnull=not revoked)
        return self.page(rows, ApiKeySerializer)

    @extend_schema(
        operation_id="create_key", request=NewKeySerializer, responses={201: CreatedKeySerializer}, tags=["API keys"]
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Create a key. The answer holds it whole, this once."""
        given = checked(NewKeySerializer, request)
        self._check_grant(wanted_reach(given))
        key, plaintext = create_api_key(
            tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now(), **given
        )
        key.key = plaintext  # type: ignore[attr-defined]
        return Response(CreatedKeySerializer(key).data, status=201)

    def _check_grant(self, wanted: Reach) -> None:
        """Else a key that may write keys could make itself one that may all."""
        if self.caller.is_operator:
            return
        fields = beyond(self._own_reach(), wanted)
        if fields:
            raise InvalidInput("Nobody can give more than they have", fields=fields)

    def _own_reach(self) -> Reach:
        if self.caller.is_member:
            return Reach(grantable_scopes(self.caller.permissions))
        return reach_of(ApiKey.objects.get(pk=parse_prefixed("key", self.caller.id)))


class KeyDetail(TenantView):
    access = {"DELETE": Access("tenants.change_apikey", Scope.KEYS_WRITE, Permission.KEYS_MANAGE)}

    @extend_schema(operation_id="revoke_key", responses={204: None}, tags=["API keys"])
    def delete(self, request: Request, tenant_id: str, key_id: str) -> Response:
        """Revoke a key for good; every gateway process obeys within a second."""
        try:
            bare = parse_prefixed("key", key_id)
        except InvalidInput as error:
            raise KeyNotFound() from error
        revoke_api_key(tenant_id=self.tenant_id, key_id=bare, acting=caller_actor(self.caller), now=utc_now())
        return Response(status=204)
