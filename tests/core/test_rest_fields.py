"""How numbers and ids look at the rim."""

from __future__ import annotations

from decimal import Decimal

import pytest
from rest_framework.serializers import ValidationError

from core.rest.fields import MoneyField, PublicIdField, QuantityField


@pytest.mark.parametrize(
    ("stored", "shown"),
    [("12", "12.00"), ("0E-12", "0.00"), ("0.000002500000", "0.0000025"), ("1E+3", "1000.00"), ("-3.1", "-3.10")],
)
def test_money_is_exact_text_with_two_decimals_at_least(stored: str, shown: str) -> None:
    assert MoneyField().to_representation(Decimal(stored)) == shown


@pytest.mark.parametrize(("stored", "shown"), [("37966.000000", "37966"), ("0.5", "0.5"), ("1E+6", "1000000")])
def test_quantities_have_no_empty_decimals(stored: str, shown: str) -> None:
    assert QuantityField().to_representation(Decimal(stored)) == shown


def test_ids_are_prefixed_outside_and_bare_inside() -> None:
    field, bare = PublicIdField("key"), "01jd0000000000000000000ke2"
    assert field.to_representation(bare) == f"key_{bare}"
    assert field.to_internal_value(f"key_{bare}") == bare
    for wrong in (bare, f"ten_{bare}", "key_x"):
        with pytest.raises(ValidationError):
            field.to_internal_value(wrong)
