"""All that holds for a tenant, as the REST API shows it: its profile's values and its limits, each with its source."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest.fields import PublicIdField
from quotas.serializers import LimitSerializer
from tenants.data import ProfileField, TenantType, ValueSource


@extend_schema_field(
    {"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
)
class AnyValueField(serializers.Field[Any, Any, Any, Any]):
    """A whole number, a word, or a list of names, by what the field holds."""

    def to_representation(self, value: Any) -> Any:
        return list(value) if isinstance(value, tuple) else value


class DecidingOverrideSerializer(serializers.Serializer[Any]):
    id = PublicIdField("ovr")
    value = AnyValueField()
    reason = serializers.CharField()
    by = serializers.CharField()
    valid_from = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True, help_text="null: until it is revoked")


class EffectiveValueSerializer(serializers.Serializer[Any]):
    """What holds for one field and why; `override` is null where the type decides."""

    field = serializers.ChoiceField(choices=[(field.value, field.name) for field in ProfileField])
    value = AnyValueField()
    profile_value = AnyValueField(help_text="What the type alone would give")
    source = serializers.ChoiceField(choices=[(source.value, source.name) for source in ValueSource])  # type: ignore[assignment]
    override = DecidingOverrideSerializer(allow_null=True)
    beside = DecidingOverrideSerializer(many=True, help_text="Other overrides of the field that are not over")


class EffectiveValuesSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in TenantType])
    plan = serializers.CharField(allow_blank=True)
    values = EffectiveValueSerializer(many=True)
    limits = LimitSerializer(many=True)
