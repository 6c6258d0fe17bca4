"""REST: a tenant's settings, their versions and the way back; translates in, calls one service, translates out."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api import caller_actor
from core.clock import utc_now
from core.rest.access import Access
from core.rest.pages import WholePage, whole
from core.rest.views import TenantView, checked
from tenants.centre.data import Editor
from tenants.centre.history import differences
from tenants.centre.registry import spec_of
from tenants.centre.selectors import configuration_of, settings_at, versions_of
from tenants.centre.serializers import (
    ConfigurationSerializer,
    DifferenceQuery,
    HistoryQuery,
    RollBackSerializer,
    SettingChangeSerializer,
    SettingSerializer,
    SettingsVersionSerializer,
    SettingValueSerializer,
    SettingValuesSerializer,
)
from tenants.centre.services import change_settings, roll_back_settings
from tenants.roles import Permission
from tenants.selectors import tenant_by_id

READ = Access("tenants.view_tenant", member=Permission.WORKSPACE_CONFIGURE)
WRITE = Access("tenants.change_tenant", member=Permission.WORKSPACE_CONFIGURE)
_TAGS = ["Settings"]


class _SettingsView(TenantView):
    def check_path(self, **kwargs: Any) -> None:
        super().check_path(**kwargs)
        if self.caller.is_operator:
            tenant_by_id(self.tenant_id)  # that there is a schema to look into

    @property
    def editor(self) -> Editor:
        """What the caller is, as far as settings are concerned."""
        if self.caller.is_operator:
            return Editor.OPERATOR
        return Editor.OWNER if Permission.OWNERS_MANAGE in self.caller.permissions else Editor.ADMIN

    def common(self, given: dict[str, Any]) -> dict[str, Any]:
        """Whose settings, who acts, when and why."""
        return {
            "tenant_id": self.tenant_id,
            "editor": self.editor,
            "acting": caller_actor(self.caller),
            "now": utc_now(),
            "reason": given["reason"],
            "version": given.get("version"),
        }

    def answer(self) -> Response:
        return Response(ConfigurationSerializer(configuration_of(self.tenant_id)).data)


class SettingList(_SettingsView):
    access: ClassVar[dict[str, Access]] = {"GET": READ, "PUT": WRITE}

    @extend_schema(operation_id="list_settings", responses=ConfigurationSerializer, tags=_TAGS)
    def get(self, request: Request, tenant_id: str) -> Response:
        """Read every setting with its type, default and value."""
        return self.answer()

    @extend_schema(
        operation_id="change_settings", request=SettingValuesSerializer, responses=ConfigurationSerializer, tags=_TAGS
    )
    def put(self, request: Request, tenant_id: str) -> Response:
        """Change some settings together, all or none; obeyed by every process within a second."""
        given = checked(SettingValuesSerializer, request)
        change_settings(values=given["values"], **self.common(given))
        return self.answer()


class SettingDetail(_SettingsView):
    access: ClassVar[dict[str, Access]] = {"GET": READ, "PUT": WRITE}

    @extend_schema(operation_id="get_setting", responses=SettingSerializer, tags=_TAGS)
    def get(self, request: Request, tenant_id: str, name: str) -> Response:
        """Read one setting."""
        return self._one(name)

    @extend_schema(
        operation_id="change_setting", request=SettingValueSerializer, responses=SettingSerializer, tags=_TAGS
    )
    def put(self, request: Request, tenant_id: str, name: str) -> Response:
        """Change one setting."""
        spec_of(name)
        given = checked(SettingValueSerializer, request)
        change_settings(values={name: given["value"]}, **self.common(given))
        return self._one(name)

    def _one(self, name: str) -> Response:
        spec = spec_of(name)
        found = next(facts for facts in configuration_of(self.tenant_id).settings if facts.spec is spec)
        return Response(SettingSerializer(found).data)


class SettingsHistory(_SettingsView):
    access: ClassVar[dict[str, Access]] = {"GET": READ}
    pagination_class = WholePage

    @extend_schema(
        operation_id="list_settings_versions",
        parameters=[HistoryQuery],
        responses=SettingsVersionSerializer(many=True),
        tags=_TAGS,
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """List what was changed by whom, when and why, newest first; 100 versions at a time."""
        before = HistoryQuery.of(request).get("before")
        versions = versions_of(self.tenant_id, before=before)
        return whole(list(SettingsVersionSerializer(versions, many=True).data))


class SettingsDifference(_SettingsView):
    access: ClassVar[dict[str, Access]] = {"GET": READ}
    pagination_class = WholePage

    @extend_schema(
        operation_id="compare_settings_versions",
        parameters=[DifferenceQuery],
        responses=SettingChangeSerializer(many=True),
        tags=_TAGS,
    )
    def get(self, request: Request, tenant_id: str) -> Response:
        """Compare two versions."""
        query = DifferenceQuery.of(request)
        older, newer = (settings_at(self.tenant_id, query[name]) for name in ("older", "newer"))
        return whole(list(SettingChangeSerializer(differences(older, newer), many=True).data))


class RollBackSettings(_SettingsView):
    access: ClassVar[dict[str, Access]] = {"POST": WRITE}

    @extend_schema(
        operation_id="roll_back_settings",
        request=RollBackSerializer,
        responses={200: ConfigurationSerializer},
        tags=_TAGS,
    )
    def post(self, request: Request, tenant_id: str) -> Response:
        """Set everything to what it was in an earlier version, as a new version."""
        given = checked(RollBackSerializer, request)
        roll_back_settings(to=given["to"], **self.common(given))
        return self.answer()
