"""The isolation report as the REST API shows it; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.rest.fields import PublicIdField
from tenants.isolation.registry import FenceKind, Outcome, title_of
from tenants.models import IsolationReport


class IsolationCheckSerializer(serializers.Serializer[Any]):
    fence = serializers.ChoiceField(choices=[(kind.value, kind.name.title()) for kind in FenceKind])
    name = serializers.CharField()
    title = serializers.SerializerMethodField()
    outcome = serializers.ChoiceField(choices=[(each.value, each.name.title()) for each in Outcome])
    evidence = serializers.CharField(help_text="What was tried, and what came back")
    ms = serializers.IntegerField()

    def get_title(self, check: dict[str, Any]) -> str:
        return title_of(check["name"])


class IsolationReportSerializer(serializers.ModelSerializer[IsolationReport]):
    id = PublicIdField("iso", read_only=True)
    outcome = serializers.ChoiceField(choices=[(each.value, each.name.title()) for each in Outcome])
    checks = IsolationCheckSerializer(many=True, read_only=True)

    class Meta:
        model = IsolationReport
        fields = ("id", "outcome", "ran_at", "took_ms", "checks")
        read_only_fields = fields
