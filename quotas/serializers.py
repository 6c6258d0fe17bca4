"""Limits as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from quotas.data import MOST, Dimension, LimitSource, Unit

_UNITS = [(unit.name.lower(), unit.name.title()) for unit in Unit]
MONEY = "Money is in micro-units (millionths) of the tenant's currency."


class LimitStepSerializer(serializers.Serializer[Any]):
    """One step of the way to a limit."""

    source = serializers.ChoiceField(choices=[(source.value, source.name) for source in LimitSource])  # type: ignore[assignment]
    label = serializers.CharField()  # type: ignore[assignment]
    value = serializers.IntegerField(allow_null=True)
    hard = serializers.BooleanField()
    applies = serializers.BooleanField(help_text="True for the step that decided")
    by = serializers.CharField(allow_blank=True, help_text="Who set a tenant's own limit")
    reason = serializers.CharField(allow_blank=True)
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Until when a tenant's own limit holds")


class LimitSerializer(serializers.Serializer[Any]):
    dimension = serializers.ChoiceField(choices=[dimension.value for dimension in Dimension])
    unit = serializers.ChoiceField(choices=_UNITS, help_text=MONEY)
    value = serializers.IntegerField(allow_null=True, help_text="null: unlimited. 0: nothing is allowed.")
    hard = serializers.BooleanField(help_text="False: counted and alerted only")
    source = serializers.ChoiceField(choices=[(source.value, source.name) for source in LimitSource])  # type: ignore[assignment]
    used = serializers.IntegerField(allow_null=True, help_text="null while the counters cannot be reached")
    held = serializers.IntegerField(allow_null=True, help_text="Reserved by requests that are under way")
    resets_at = serializers.DateTimeField(allow_null=True)
    explanation = LimitStepSerializer(many=True)


class NewLimitSerializer(serializers.Serializer[Any]):
    value = serializers.IntegerField(
        min_value=0, max_value=MOST, allow_null=True, help_text=f"null: unlimited. {MONEY}"
    )
    hard = serializers.BooleanField(default=True)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Then plan and type decide again; leave out for good"
    )
    reason = serializers.CharField(max_length=300, required=False, allow_blank=True)
