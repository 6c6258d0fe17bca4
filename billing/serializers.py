"""Usage, bills, plans and contracts as the REST API shows them. Amounts are decimal text, as exact as stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

from billing.data import ChargeModel, LineKind, Meter, UsageStatus
from billing.models import UsageEvent
from core.clock import utc_now
from core.rest.fields import MoneyField, PublicIdField, QuantityField
from core.rest.queries import Query

HOURS, DAYS = timedelta(days=31), timedelta(days=366)


class SpanQuery(Query):
    """A half-open span of time; both ends may be left out."""

    since = serializers.DateTimeField(required=False, help_text="From this instant on; default: 24 hours ago")
    until = serializers.DateTimeField(required=False, help_text="Up to before this instant; default: now")


class UsageQuery(SpanQuery):
    by = serializers.ChoiceField(choices=["hour", "day"], default="hour")
    model = serializers.CharField(default="", allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        until: datetime = attrs.get("until") or utc_now()
        since: datetime = attrs.get("since") or until - timedelta(days=1)
        if since >= until:
            raise serializers.ValidationError({"until": ["must be after since"]})
        if until - since > (HOURS if attrs["by"] == "hour" else DAYS):
            raise serializers.ValidationError({"since": ["ask for at most 31 days by hour, 366 days by day"]})
        return {**attrs, "since": since, "until": until}


class EventQuery(SpanQuery):
    model = serializers.CharField(required=False)
    status = serializers.ChoiceField(choices=[status.value for status in UsageStatus], required=False)
    key_id = PublicIdField("key", required=False)


class FiguresSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    failures = serializers.IntegerField()
    input_tokens = serializers.IntegerField(help_text="Cached ones included")
    cached_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    charge = MoneyField()


class PointSerializer(serializers.Serializer[Any]):
    starts_at = serializers.DateTimeField()
    figures = FiguresSerializer()


class SeriesSerializer(serializers.Serializer[Any]):
    by = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    total = FiguresSerializer()
    data = PointSerializer(many=True)  # type: ignore[assignment]


OPEN_FIELDS = (
    "id",
    "occurred_at",
    "key_id",
    "model",
    "provider",
    "endpoint",
    "status",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "latency_ms",
    "first_token_ms",
    "price_version",
    "estimated",
    "live",
    "charge",
)


class EventSerializer(serializers.ModelSerializer[UsageEvent]):
    key_id = PublicIdField("key", read_only=True)
    status = serializers.ChoiceField(choices=[status.value for status in UsageStatus], read_only=True)
    charge = MoneyField(allow_null=True)

    class Meta:
        model = UsageEvent
        fields = OPEN_FIELDS
        read_only_fields = fields


class FullEventSerializer(EventSerializer):
    cost = MoneyField(allow_null=True)

    class Meta(EventSerializer.Meta):
        fields = (*OPEN_FIELDS, "cost")  # type: ignore[assignment]


class SliceSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    tier = serializers.IntegerField(help_text="Counts from 1; 0: the included units")
    units = QuantityField()
    unit_amount = MoneyField()
    flat_amount = MoneyField()
    amount = MoneyField()


class BillLineSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in LineKind])
    meter = serializers.ChoiceField(choices=[meter.value for meter in Meter], allow_null=True)
    model = serializers.CharField(help_text="* stands for each model without its own price")
    price_version = serializers.CharField()
    quantity = QuantityField()
    included_units = QuantityField()
    included_used = QuantityField()
    slices = SliceSerializer(many=True)
    precise_amount = MoneyField()
    amount = MoneyField(help_text="Rounded once, half up, to the currency's minor unit")


class PeriodSerializer(serializers.Serializer[Any]):
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(help_text="The first instant that belongs to the next period")


class BillSerializer(serializers.Serializer[Any]):
    plan_code = serializers.CharField()
    plan_name = serializers.CharField()
    price_version = serializers.CharField()
    currency = serializers.CharField()
    period = PeriodSerializer()
    lines = BillLineSerializer(many=True)
    precise_total = MoneyField()
    total = MoneyField()
    as_of = serializers.DateTimeField()


class TierSerializer(serializers.Serializer[Any]):
    up_to = QuantityField(allow_null=True)
    unit_amount = MoneyField()
    flat_amount = MoneyField()


class TermsSerializer(serializers.Serializer[Any]):
    charge_model = serializers.ChoiceField(choices=[kind.value for kind in ChargeModel])
    included_units = QuantityField()
    package_size = QuantityField()
    tiers = TierSerializer(many=True)


class PlanPriceSerializer(serializers.Serializer[Any]):
    meter = serializers.ChoiceField(choices=[meter.value for meter in Meter])
    model = serializers.CharField()
    terms = TermsSerializer()


class PlanSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    tenant_types = serializers.ListField(child=serializers.CharField())
    version = serializers.CharField()
    currency = serializers.CharField()
    monthly_fee = MoneyField()
    prices = PlanPriceSerializer(many=True)


class NewSubscriptionSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField(max_length=40, help_text="The code of a plan; its newest version is taken")


class SubscriptionSerializer(serializers.Serializer[Any]):
    id = PublicIdField("sub")
    plan_code = serializers.CharField()
    plan_name = serializers.CharField()
    version = serializers.CharField()
    currency = serializers.CharField()
    monthly_fee = MoneyField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField(allow_null=True)
