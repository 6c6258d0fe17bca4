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


@extend_schema_field({"type": "string", "format": "decimal", "examples": ["0.0123"]})
class MoneyField(serializers.Field[Decimal, str, str, Decimal]):
    """A decimal amount as text, without exponent, as exact as it is stored."""

    def __init__(self, **kwargs: object) -> None:
        super().__init__(read_only=True, **kwargs)  # type: ignore[arg-type]

    def to_representation(self, value: Decimal) -> str:
        return format(value, "f")
