"""Profiles and overrides as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest.fields import PublicIdField
from tenants.data import ProfileField, TenantType
from tenants.profiles.values import NEVER_OVERRIDDEN

_FIELDS = [(field.value, field.name) for field in ProfileField]
_TYPES = [(kind.value, kind.name) for kind in TenantType]
_VALUE = {"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


@extend_schema_field(_VALUE)
class ValueField(serializers.JSONField):
    """A whole number, a word, or a list of names, by what the field holds."""

    def to_representation(self, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


class ProfileSerializer(serializers.Serializer[Any]):
    """All of a type's values; in a change those that are to be others."""

    cpu_millicores = serializers.IntegerField(required=False)
    memory_mib = serializers.IntegerField(required=False)
    storage_mib = serializers.IntegerField(required=False)
    gpus = serializers.IntegerField(required=False)
    worker_slots = serializers.IntegerField(required=False)
    min_replicas = serializers.IntegerField(required=False)
    max_replicas = serializers.IntegerField(required=False)
    isolation_level = serializers.CharField(required=False, help_text="STANDARD or DEDICATED")
    failure_policy = serializers.CharField(required=False, help_text="FAIL_CLOSED or CONSERVATIVE")
    retention_days = serializers.IntegerField(required=False)
    allowed_models = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Empty: every model"
    )
    default_plan = serializers.CharField(required=False, allow_blank=True, help_text="Empty: none")


class TypeProfileSerializer(serializers.Serializer[Any]):
    tenant_type = serializers.ChoiceField(choices=_TYPES)
    values = ProfileSerializer()


class OverrideSerializer(serializers.Serializer[Any]):
    id = PublicIdField("ovr")
    field = serializers.ChoiceField(choices=_FIELDS)
    value = ValueField()
    reason = serializers.CharField()
    by = serializers.CharField()
    valid_from = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="null: until it is revoked")


class NewOverrideSerializer(serializers.Serializer[Any]):
    field = serializers.ChoiceField(choices=[field.value for field in ProfileField if field not in NEVER_OVERRIDDEN])
    value = ValueField()
    reason = serializers.CharField(max_length=300)
    valid_from = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Left out, it counts from this moment"
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Leave out for good")


class NewTypeSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=_TYPES)
    reason = serializers.CharField(max_length=300)
