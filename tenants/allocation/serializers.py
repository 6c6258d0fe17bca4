"""Pools and allocations as the REST API shows and takes them; translates, decides nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from core.ids import prefixed
from core.rest.fields import PublicIdField, QuantityField
from core.rest.queries import Query
from tenants.allocation.data import AllocationState, PoolFacts, ResourceKind
from tenants.data import ResourceAmounts
from tenants.models.capacity import LEAST_RATIO, MOST, MOST_RATIO

_KINDS = [(kind.value, kind.name) for kind in ResourceKind]
_STATES = [(state.value, state.name) for state in AllocationState]
_RATIO: dict[str, Any] = {
    "max_digits": 7,
    "decimal_places": 2,
    "min_value": LEAST_RATIO,
    "max_value": MOST_RATIO,
    "help_text": "How many times the capacity may be given out; below 1 keeps a reserve",
}


class PoolSerializer(serializers.Serializer[Any]):
    id = PublicIdField("pool")
    region = serializers.CharField()
    name = serializers.CharField(help_text="Pools of one name are one host")
    kind = serializers.ChoiceField(choices=_KINDS)
    capacity = serializers.IntegerField(help_text="Millicores, MiB, or pieces")
    oversubscription = QuantityField()
    limit = serializers.IntegerField(help_text="What may be given out: capacity times oversubscription")
    used = serializers.IntegerField(help_text="What is given out")
    free = serializers.IntegerField()
    accepting = serializers.BooleanField(help_text="False: nothing new is placed here")
    reserved_for = serializers.SerializerMethodField(help_text="The tenant that has the whole host for itself")

    def get_reserved_for(self, pool: PoolFacts) -> str | None:
        return prefixed("ten", pool.reserved_for) if pool.reserved_for else None


class NewPoolSerializer(serializers.Serializer[Any]):
    region = serializers.CharField(max_length=40, default="local")
    name = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(choices=_KINDS)
    capacity = serializers.IntegerField(min_value=0, max_value=MOST)
    oversubscription = serializers.DecimalField(**_RATIO, default=Decimal(1))
    accepting = serializers.BooleanField(default=True)


class PoolChangeSerializer(serializers.Serializer[Any]):
    """What is not mentioned stays."""

    capacity = serializers.IntegerField(min_value=0, max_value=MOST, required=False)
    oversubscription = serializers.DecimalField(**_RATIO, required=False)
    accepting = serializers.BooleanField(required=False)


class ReservationSerializer(serializers.Serializer[Any]):
    tenant_id = PublicIdField("ten", allow_null=True, help_text="null: the host is for everybody who shares")


class AmountsSerializer(serializers.Serializer[Any]):
    cpu_millicores = serializers.IntegerField(min_value=0, max_value=MOST, default=0)
    memory_mib = serializers.IntegerField(min_value=0, max_value=MOST, default=0)
    storage_mib = serializers.IntegerField(min_value=0, max_value=MOST, default=0)
    gpus = serializers.IntegerField(min_value=0, max_value=MOST, default=0)
    worker_slots = serializers.IntegerField(min_value=0, max_value=MOST, default=0)

    def to_internal_value(self, data: Any) -> ResourceAmounts:
        return ResourceAmounts(**super().to_internal_value(data))


class OwnAllocationSerializer(serializers.Serializer[Any]):
    """What everybody in the tenant may know."""

    id = PublicIdField("alloc")
    request_key = serializers.CharField()
    region = serializers.CharField()
    state = serializers.ChoiceField(choices=_STATES)
    wanted = AmountsSerializer()
    held = AmountsSerializer()
    asked_at = serializers.DateTimeField()
    waiting_since = serializers.DateTimeField(allow_null=True)
    placed_at = serializers.DateTimeField(allow_null=True)


class HoldingSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=_KINDS)
    pool_id = PublicIdField("pool")
    pool = serializers.CharField()
    amount = serializers.IntegerField()


class AllocationSerializer(OwnAllocationSerializer):
    """The same with what only operators know."""

    tenant_id = PublicIdField("ten")
    holdings = HoldingSerializer(many=True)
    explanation = serializers.CharField(source="sentence", help_text="Why these pools, or why it waits")
    priority = serializers.IntegerField()
    ahead = serializers.IntegerField(help_text="How many wait in front of it")
    asked_by = serializers.CharField()
    released_at = serializers.DateTimeField(allow_null=True)


class AnyAllocationSerializer(OwnAllocationSerializer):
    """For the description: the fields that only operators get may be missing."""

    tenant_id = PublicIdField("ten", required=False)
    holdings = HoldingSerializer(many=True, required=False)
    explanation = serializers.CharField(required=False, help_text="Operators only")
    priority = serializers.IntegerField(required=False)
    ahead = serializers.IntegerField(required=False)
    asked_by = serializers.CharField(required=False)
    released_at = serializers.DateTimeField(required=False, allow_null=True)


class NewAllocationSerializer(serializers.Serializer[Any]):
    request_key = serializers.CharField(max_length=80, help_text="Asking again under the same key changes nothing")
    amounts = AmountsSerializer()
    region = serializers.CharField(max_length=40, required=False, help_text="The tenant's own, unless told otherwise")
    priority = serializers.IntegerField(min_value=-(2**31), max_value=2**31 - 1, default=0)


class ResizeSerializer(serializers.Serializer[Any]):
    amounts = AmountsSerializer()


class RegionSerializer(serializers.Serializer[Any]):
    region = serializers.CharField(max_length=40, default="local")


class RetriedSerializer(serializers.Serializer[Any]):
    placed = serializers.IntegerField(help_text="How many got what they waited for")


class RegionQuery(Query):
    region = serializers.CharField(required=False)
