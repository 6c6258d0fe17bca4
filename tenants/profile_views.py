"""REST: what types of tenant grant, one tenant's exceptions, and its type."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.errors import InvalidInput, NotFound
from core.ids import parse_prefixed
from core.rest.access import Access
from core.rest.pages import WholePage, whole
from core.rest.queries import NoQuery
from core.rest.views import ApiView, TenantView, checked
from tenants.data import ProfileField, Scope, TenantType
from tenants.errors import OverrideNotFound
from tenants.profile_serializers import (
    NewOverrideSerializer,
    NewTypeSerializer,
    OverrideSerializer,
    ProfileSerializer,
    TypeProfileSerializer,
)
from tenants.profiles.effective import all_profiles, live_overrides, profile_values
from tenants.profiles.services import override_value, revoke_override, set_profile_fields, set_tenant_type
from tenants.roles import Permission
from tenants.selectors import tenant_by_id
from tenants.serializers import ReasonSerializer, TenantSerializer


def _shown(kind: TenantType) -> dict[str, object]:
    return {"tenant_type": kind, "values": {field.value: value for field, value in profile_values(kind).items()}}


class ProfileList(ApiView):
    access = {"GET": Access("tenants.view_tenanttypeprofile")}
    pagination_class = WholePage

    @extend_schema(operation_id="list_profiles", responses=TypeProfileSerializer(many=True), tags=["Profiles"])
    def get(self, request: Request) -> Response:
        """List what each type of tenant grants."""
        NoQuery.of(request)
        rows = [
            {"tenant_type": kind, "values": {field.value: value for field, value in values.items()}}
            for kind, values in all_profiles().items()
        ]
        return whole(list(TypeProfileSerializer(sorted(rows, key=lambda row: str(row["tenant_type"])), many=True).data))


class ProfileDetail(ApiView):
    access = {"PUT": Access("tenants.change_tenanttypeprofile")}

    @extend_schema(
        operation_id="set_profile",
        request=ProfileSerializer,
        responses={200: TypeProfileSerializer},
        tags=["Profiles"],
    )
    def put(self, request: Request, tenant_type: str) -> Response:
        """Change the named values of a type; every process obeys within five seconds."""
        if tenant_type not in set(TenantType):
            raise NotFound("There is no such type", next_step=f"Choose from: {', '.join(TenantType)}")
        given = checked(ProfileSerializer, request)
        kind, values = TenantType(tenant_type), {ProfileField(name): value for name, value in given.items()}
        set_profile_fields(tenant_type=kind, values=values, acting=caller_actor(self.caller), now=utc_now())
        return Response(TypeProfileSerializer(_shown(kind)).data)


class OverrideList(TenantView):
    access = {
        "GET": Access("tenants.view_profileoverride", Scope.USAGE_READ, Permission.USAGE_VIEW),
        "POST": Access("tenants.add_profileoverride"),
    }
    pagination_class = WholePage

    @extend_schema(operation_id="list_overrides", responses=OverrideSerializer(many=True), tags=["Profiles"])
    def get(self, request: Request, tenant_id: str) -> Response:
        """List a tenant's exceptions that are not over, newest first."""
        NoQuery.of(request)
        rows = live_overrides([tenant_by_id(self.tenant_id).id], now=utc_now())
        return whole(list(OverrideSerializer(rows, many=True).data))

    @extend_schema(
        operation_id="override_value",
        request=NewOverrideSerializer,
        responses={201: OverrideSerializer},
        tags=["Profiles"],
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Give a tenant a value of its own, for good or for a time."""
        given = checked(NewOverrideSerializer, request)
        given["field"] = ProfileField(given["field"])
        made = override_value(tenant_id=self.tenant_id, acting=caller_actor(self.caller), now=utc_now(), **given)
        return Response(OverrideSerializer(made).data, status=201)


class RevokeOverride(TenantView):
    access = {"POST": Access("tenants.change_profileoverride")}

    @extend_schema(
        operation_id="revoke_override",
        request=ReasonSerializer,
        responses={200: OverrideSerializer},
        tags=["Profiles"],
    )
    def post(self, request: Request, tenant_id: str, override_id: str) -> Response:
        """End an exception; an older one, or the type, decides again within five seconds."""
        reason = checked(ReasonSerializer, request)["reason"]
        try:
            bare = parse_prefixed("ovr", override_id)
        except InvalidInput as error:
            raise OverrideNotFound() from error
        if bare not in {row.id for row in live_overrides([self.tenant_id], now=utc_now())}:
            raise OverrideNotFound()
        made = revoke_override(override_id=bare, reason=reason, acting=caller_actor(self.caller), now=utc_now())
        return Response(OverrideSerializer(made).data)


class TenantTypeView(TenantView):
    access = {"PUT": Access("tenants.change_tenant")}

    @extend_schema(
        operation_id="set_tenant_type",
        request=NewTypeSerializer,
        responses={200: TenantSerializer},
        tags=["Tenants"],
    )
    def put(self, request: Request, tenant_id: str) -> Response:
        """Give a tenant another type; its quotas and profile hold on every gateway within five seconds."""
        given = checked(NewTypeSerializer, request)
        tenant = set_tenant_type(
            tenant_id=self.tenant_id,
            tenant_type=TenantType(given["type"]),
            reason=given["reason"],
            acting=caller_actor(self.caller),
            now=utc_now(),
        )
        return Response(TenantSerializer(tenant).data)
