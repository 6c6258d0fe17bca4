"""Fields of our own at the rim: prefixed ids, and money as text so that no reader rounds it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.ids import is_ulid, prefixed


class PublicIdField(serializers.CharField):
    """`<kind>_<ulid>` outside, the bare ulid inside."""

    def __init__(self, kind: str, **kwargs: object) -> None:
        self.kind = kind
        super().__init__(**kwargs)  # type: ignore[arg-type]

    def to_representation(self, value: str) -> str:
        return prefixed(self.kind, value)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        prefix, _, identifier = text.partition("_")
        if prefix != self.kind or not is_ulid(identifier):
            raise serializers.ValidationError(f"Expected an id of the form {self.kind}_…")
        return identifier


@extend_schema_field({"type": "string", "format": "decimal", "examples": ["12"]})
class QuantityField(serializers.Field[Decimal, str, str, Decimal]):
    """A decimal number as text, without exponent and without empty decimals, else as exact as it is stored."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(read_only=True, **kwargs)  # type: ignore[arg-type]

    def to_representation(self, value: Decimal) -> str:
        return format(value.normalize(), "f")


@extend_schema_field({"type": "string", "format": "decimal", "examples": ["0.0123"]})
class MoneyField(QuantityField):
    """The same for an amount of money, with two decimals at least."""

    def to_representation(self, value: Decimal) -> str:
        whole, _point, part = super().to_representation(value).partition(".")
        return f"{whole}.{part.ljust(2, '0')}"
