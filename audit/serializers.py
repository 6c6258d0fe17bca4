"""The audit log as the REST API shows it; translates, decides nothing."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from audit.chain.links import PLATFORM
from audit.data import FaultKind
from audit.models import AuditEntry, ChainHead
from audit.selectors import named
from core.ids import prefixed
from core.rest.fields import PublicIdField
from core.rest.queries import Query


class ChainField(serializers.CharField):
    """`platform`, or a tenant's public id."""

    def to_representation(self, value: str) -> str:
        return value if value == PLATFORM else prefixed("ten", value)


class OfNoTenantField(PublicIdField):
    """A tenant's public id; null for what concerns the platform."""

    def to_representation(self, value: str) -> Any:
        return super().to_representation(value) if value else None


class EntrySerializer(serializers.ModelSerializer[AuditEntry]):
    id = serializers.CharField(read_only=True)
    tenant_id = OfNoTenantField("ten", read_only=True, allow_null=True)
    before = serializers.DictField(allow_null=True, help_text="What it was; credentials as fingerprints")
    after = serializers.DictField(allow_null=True, help_text="What it became; credentials as fingerprints")
    detail = serializers.DictField(help_text="`name-v1:…` stands for a name that was erased, here and in other fields")
    sequence = serializers.IntegerField(allow_null=True, help_text="Its link in the chain; null while it waits")
    hash = serializers.CharField(allow_null=True)

    def to_representation(self, instance: AuditEntry) -> dict[str, Any]:
        return super().to_representation(named(instance))

    class Meta:
        model = AuditEntry
        fields = (
            *("id", "at", "tenant_id", "actor_kind", "actor_id", "actor_label", "action", "target"),
            *("reason", "before", "after", "detail", "request_id", "sequence", "hash"),
        )


class EntryQuery(Query):
    action = serializers.CharField(required=False, help_text="Exact, such as tenants.suspend")
    actor_id = serializers.CharField(required=False)
    target = serializers.CharField(required=False)
    request_id = serializers.CharField(required=False)
    since = serializers.DateTimeField(required=False, help_text="Inclusive")
    until = serializers.DateTimeField(required=False, help_text="Exclusive")


class ChainSerializer(serializers.ModelSerializer[ChainHead]):
    chain = ChainField(read_only=True)
    waiting = serializers.IntegerField(help_text="Entries that are written and not yet on the chain")

    class Meta:
        model = ChainHead
        fields = (
            *("chain", "sequence", "hash", "sealed_at", "key_id", "signature", "waiting"),
            *("frozen", "verified_at", "verified_sequence", "fault"),
        )


class FaultSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=[(kind.value, kind.name) for kind in FaultKind])
    sequence = serializers.IntegerField(help_text="The first bad link; 0 when none is to blame")
    sentence = serializers.CharField()


class ReportSerializer(serializers.Serializer[Any]):
    chain = ChainField()
    links = serializers.IntegerField(help_text="How many hold, up to the fault when there is one")
    fault = FaultSerializer(allow_null=True)


class AdoptionSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=300, help_text="Becomes part of the chain")


class KeySerializer(serializers.Serializer[Any]):
    key_id = serializers.CharField()
    public_key = serializers.CharField(help_text="Ed25519, base64 of its 32 bytes")


class ExportQuery(Query):
    after = serializers.IntegerField(min_value=0, default=0, help_text="Only the links behind this number")
