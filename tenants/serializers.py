"""Tenants and keys as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.rest.fields import PublicIdField
from core.rest.queries import Query
from tenants.data import KeyLimits, Scope, TenantStatus, TenantType
from tenants.models import ApiKey, Tenant

SECRET_HELP = "The whole key. It is shown this once and stored nowhere."  # noqa: S105 - a sentence on a secret


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    id = PublicIdField("ten", read_only=True)
    type = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in TenantType])
    status = serializers.ChoiceField(choices=[(kind.value, kind.name.title()) for kind in TenantStatus])

    class Meta:
        model = Tenant
        fields = ("id", "slug", "name", "type", "status", "status_reason", "plan", "region", "created_at")
        read_only_fields = fields


class NewTenantSerializer(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=40, help_text="3 to 40 lower-case letters, digits and hyphens")
    name = serializers.CharField(max_length=120)
    type = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in TenantType])
    region = serializers.CharField(max_length=40, default="local")


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(
        max_length=300, help_text="Kept in the audit log and shown to operators and to the tenant's people"
    )


class DeletionSerializer(ReasonSerializer):
    name = serializers.CharField(max_length=120, trim_whitespace=False, help_text="The tenant's name, typed exactly")
    export = serializers.BooleanField(default=False, help_text="Make a last backup, to be fetched in the grace period")


class TenantQuery(Query):
    status = serializers.ChoiceField(choices=[kind.value for kind in TenantStatus], required=False)
    type = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in TenantType], required=False)
    plan = serializers.CharField(required=False)
    search = serializers.CharField(required=False, help_text="Part of the name or of the slug")


class KeyLimitsField(serializers.Serializer[Any]):
    requests_per_minute = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False, allow_null=True)
    tokens_per_minute = serializers.IntegerField(min_value=0, max_value=2**31 - 1, required=False, allow_null=True)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    id = PublicIdField("key", read_only=True)
    scopes = serializers.ListField(child=serializers.CharField(), read_only=True)
    models = serializers.ListField(child=serializers.CharField(), source="allowed_models", read_only=True)
    limits = KeyLimitsField(source="*", read_only=True)
    networks = serializers.ListField(child=serializers.CharField(), source="allowed_networks", read_only=True)

    class Meta:
        model = ApiKey
        fields = (
            "id",
            "name",
            "prefix",
            "last_four",
            "live",
            "scopes",
            "models",
            "limits",
            "networks",
            "expires_at",
            "revoked_at",
            "created_at",
            "created_by",
        )
        read_only_fields = fields


class CreatedKeySerializer(ApiKeySerializer):
    key = serializers.CharField(read_only=True, help_text=SECRET_HELP)

    class Meta(ApiKeySerializer.Meta):
        fields = (*ApiKeySerializer.Meta.fields, "key")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class NewKeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    live = serializers.BooleanField(default=True, help_text="Test keys reach simulated providers and are never billed")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=[scope.value for scope in Scope]),
        default=lambda: [Scope.INFERENCE.value],
        allow_empty=False,
    )
    models = serializers.ListField(
        child=serializers.CharField(max_length=120), default=list, max_length=100, help_text="Empty: all of the plan"
    )
    limits = KeyLimitsField(required=False)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)
    networks = serializers.ListField(
        child=serializers.CharField(max_length=60),
        default=list,
        max_length=200,
        help_text="Where it may be used, such as 203.0.113.0/24; empty: from everywhere its tenant may call from",
    )

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values = dict(super().to_internal_value(data))
        limits = values.get("limits")
        values["limits"] = KeyLimits(**limits) if limits else None
        return values


class KeyQuery(Query):
    revoked = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Leave out for both")
