"""Endpoints and deliveries as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from core.rest.fields import PublicIdField
from core.rest.queries import Query
from tenants.models import WebhookDelivery
from tenants.webhooks.data import CHOSEN, DeliveryState

SECRET_HELP = "The signing secret. It is shown this once."  # noqa: S105 - a sentence on a secret
_EVENTS_HELP = "Empty: all events, also those to come"


class EndpointSerializer(serializers.Serializer[Any]):
    id = PublicIdField("whe")
    url = serializers.CharField()
    description = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField(), help_text=_EVENTS_HELP)
    enabled = serializers.BooleanField()
    disabled_because = serializers.CharField(help_text="by hand, failing or gone; empty while it is enabled")
    failing_since = serializers.DateTimeField(allow_null=True)
    failures = serializers.IntegerField(help_text="Failed attempts since the last that succeeded")
    old_secret_until = serializers.DateTimeField(allow_null=True, help_text="Until then the old secret signs too")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()


class CreatedEndpointSerializer(EndpointSerializer):
    secret = serializers.CharField(help_text=SECRET_HELP)


class NewEndpointSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500, help_text="https:// and a name or address of the public internet")
    description = serializers.CharField(max_length=200, default="", allow_blank=True)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=[name.value for name in CHOSEN]), default=list, help_text=_EVENTS_HELP
    )


class EndpointChangeSerializer(serializers.Serializer[Any]):
    url = serializers.CharField(max_length=500, required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=[name.value for name in CHOSEN]), required=False, help_text=_EVENTS_HELP
    )
    enabled = serializers.BooleanField(required=False)


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    id = PublicIdField("dlv", read_only=True)
    endpoint_id = PublicIdField("whe", read_only=True)
    message_id = PublicIdField("evt", read_only=True, help_text="What is sent as webhook-id")
    state = serializers.ChoiceField(choices=[(state.value, state.name) for state in DeliveryState])

    class Meta:
        model = WebhookDelivery
        fields = (
            "id",
            "endpoint_id",
            "message_id",
            "event",
            "state",
            "attempts",
            "due_at",
            "last_status",
            "last_error",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields


class AttemptSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    took_ms = serializers.IntegerField()
    error = serializers.CharField()
    answer = serializers.CharField(help_text="The beginning of the answer's body; operators are not shown it")


class DeliveryTextSerializer(DeliverySerializer):
    payload = serializers.CharField(allow_null=True, help_text="The body that is sent; operators are not shown it")
    tries = AttemptSerializer(many=True)

    class Meta(DeliverySerializer.Meta):
        fields = (*DeliverySerializer.Meta.fields, "payload", "tries")  # type: ignore[assignment]
        read_only_fields = fields  # type: ignore[assignment]


class ResentSerializer(serializers.Serializer[Any]):
    deliveries = serializers.IntegerField(help_text="How many are sent again")


class TestSentSerializer(serializers.Serializer[Any]):
    message_id = PublicIdField("evt")


class DeliveryQuery(Query):
    endpoint = PublicIdField("whe", required=False)
    state = serializers.ChoiceField(choices=[(state.value, state.name) for state in DeliveryState], required=False)
