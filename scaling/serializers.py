"""Scaling policies, what runs, and decisions as the REST API shows and takes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.rest.fields import PublicIdField
from core.rest.queries import Query
from scaling.data import Mode, Reason, WorkerStatus
from scaling.models import HIGHEST_MAXIMUM, LONGEST_COOLDOWN, ScalingDecision


class PolicySerializer(serializers.Serializer[Any]):
    """Leave a field out of a PUT to keep what it is."""

    mode = serializers.ChoiceField(choices=[mode.value for mode in Mode], required=False)
    min_replicas = serializers.IntegerField(min_value=0, max_value=HIGHEST_MAXIMUM, required=False)
    max_replicas = serializers.IntegerField(min_value=1, max_value=HIGHEST_MAXIMUM, required=False)
    cpu_target_percent = serializers.IntegerField(min_value=1, max_value=100, required=False)
    memory_target_percent = serializers.IntegerField(min_value=1, max_value=100, required=False)
    queue_target = serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, allow_null=True, help_text="null: the queue is not looked at"
    )
    scale_up_cooldown_seconds = serializers.IntegerField(min_value=0, max_value=LONGEST_COOLDOWN, required=False)
    scale_down_cooldown_seconds = serializers.IntegerField(min_value=0, max_value=LONGEST_COOLDOWN, required=False)


class WorkerSerializer(serializers.Serializer[Any]):
    pid = serializers.IntegerField()
    status = serializers.ChoiceField(choices=[status.value for status in WorkerStatus])
    cpu_percent = serializers.IntegerField(allow_null=True)
    rss_bytes = serializers.IntegerField()
    age_seconds = serializers.IntegerField()
    memory_limit_bytes = serializers.IntegerField(source="limits.memory_bytes", help_text="0: not limited")
    cpu_limit_millicores = serializers.IntegerField(source="limits.cpu_millicores", help_text="0: not limited")
    held_by = serializers.ListField(child=serializers.CharField(), help_text="What enforces the limits there")


class ScalingSerializer(serializers.Serializer[Any]):
    policy = PolicySerializer()
    version = serializers.IntegerField(help_text="Rises with each change of the policy")
    desired = serializers.IntegerField(help_text="Replicas that the backend was told to run")
    workers = WorkerSerializer(many=True)
    observed_at = serializers.DateTimeField(allow_null=True)
    last_sentence = serializers.CharField()
    last_decided_at = serializers.DateTimeField(allow_null=True)


class DecisionSerializer(serializers.ModelSerializer[ScalingDecision]):
    id = PublicIdField("dec", read_only=True)
    reason = serializers.ChoiceField(choices=[reason.value for reason in Reason])

    class Meta:
        model = ScalingDecision
        fields = (
            "id",
            "policy_version",
            "current",
            "wanted",
            "final",
            "reason",
            "sentence",
            "changed",
            "count",
            "first_at",
            "last_at",
        )
        read_only_fields = fields


class DecisionQuery(Query):
    changed = serializers.BooleanField(required=False, allow_null=True, default=None, help_text="Leave out for both")
