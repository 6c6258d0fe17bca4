"""Settings and their history as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.rest.queries import Query
from tenants.centre.services import LONGEST_REASON

_ANY = {"description": "A JSON value that fits the setting's schema; null: not set", "anyOf": [{}]}
_VERSION_HELP = "The version that you looked at: 409 when it is no longer the newest"


@extend_schema_field(_ANY)
class ValueField(serializers.JSONField):
    """Any JSON value, null too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_null=True, **kwargs)


class SettingSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(source="spec.name")
    title = serializers.CharField(source="spec.title")
    description = serializers.CharField(source="spec.description")
    schema = serializers.DictField(source="spec.schema", help_text="JSON Schema of the value")
    default = ValueField(source="spec.default")
    editor = serializers.SerializerMethodField(help_text="The least that one must be to change it")
    value = ValueField()
    is_set = serializers.BooleanField(help_text="Whether the value is the tenant's own, not the default")
    version = serializers.IntegerField(help_text="The version of its last change; 0: never changed")

    @extend_schema_field(serializers.ChoiceField(choices=["admin", "owner", "operator"]))
    def get_editor(self, facts: Any) -> str:
        return str(facts.spec.editor.name.lower())


class ConfigurationSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    settings = SettingSerializer(many=True)


class SettingChangeSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    before = ValueField()
    after = ValueField()


class SettingsVersionSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    changes = SettingChangeSerializer(many=True)
    actor_kind = serializers.CharField()
    actor = serializers.CharField()
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class _WriteSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=0, required=False, help_text=_VERSION_HELP)
    reason = serializers.CharField(max_length=LONGEST_REASON, default="", allow_blank=True)


class SettingValueSerializer(_WriteSerializer):
    value = ValueField(help_text="null: the default again")


class SettingValuesSerializer(_WriteSerializer):
    values = serializers.DictField(
        child=ValueField(), allow_empty=False, help_text="By name; null: the default again. Others stay as they are"
    )


class RollBackSerializer(_WriteSerializer):
    to = serializers.IntegerField(min_value=0, help_text="The version to go back to; 0: before anything was set")


class HistoryQuery(Query):
    before = serializers.IntegerField(min_value=1, required=False, help_text="Only versions before this one")


class DifferenceQuery(Query):
    older = serializers.IntegerField(min_value=0, help_text="The version to begin with")
    newer = serializers.IntegerField(min_value=0, help_text="The version to end with")
