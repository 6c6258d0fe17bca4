"""Models and providers as the REST API shows them; a provider's key never whole."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.rest.fields import PublicIdField
from proxy.data import ModelKind, ProviderKind


class ModelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    kinds = serializers.ListField(child=serializers.ChoiceField(choices=[kind.value for kind in ModelKind]))
    context = serializers.IntegerField(help_text="Tokens; 0 means unknown")  # type: ignore[assignment]
    max_output = serializers.IntegerField(help_text="Tokens")
    enabled = serializers.BooleanField()
    provider = serializers.CharField(required=False, help_text="Operators only")
    upstream_name = serializers.CharField(required=False, help_text="Operators only")


class ProviderKeySerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    last_four = serializers.CharField()


class ProviderSerializer(serializers.Serializer[Any]):
    id = PublicIdField("prv")
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in ProviderKind])
    base_url = serializers.CharField()
    enabled = serializers.BooleanField()
    options = serializers.DictField(child=serializers.IntegerField())
    keys = ProviderKeySerializer(many=True)
