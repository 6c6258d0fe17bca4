"""Usage facts on the wire: what is read back is what was written, and nothing half-readable passes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from billing.data import MalformedUsage, UsageFact, UsageFigures
from tests.billing.facts import fact


def test_a_fact_survives_its_json_form() -> None:
    for made in (fact(), fact(first_token_ms=None, live=False, estimated=True, model="模型", provider="")):
        assert UsageFact.from_json(made.to_json()) == made


def test_fields_of_newer_writers_are_left_out() -> None:
    row = json.loads(fact().to_json()) | {"colour": "blue"}
    assert UsageFact.from_json(json.dumps(row)) == fact()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "x" * 41),
        ("tenant_id", 7),
        ("tenant_id", None),
        ("model", "a\u0000b"),
        ("model", "a\nb"),
        ("model", "\ud800"),
        ("model", ""),
        ("input_tokens", -1),
        ("input_tokens", 1.0),
        ("input_tokens", True),
        ("input_tokens", "1"),
        ("output_tokens", 10**12 + 1),
        ("cached_tokens", 101),
        ("first_token_ms", -1),
        ("latency_ms", None),
        ("estimated", 1),
        ("live", "true"),
        ("status", "fine"),
        ("status", []),
        ("provisional_micro", 0.1),
    ],
)
def test_a_malformed_field_is_named(field: str, value: Any) -> None:
    row = json.loads(fact().to_json()) | {field: value}
    with pytest.raises(MalformedUsage) as refusal:
        UsageFact.from_mapping(row)
    assert refusal.value.field == field


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff", b'{"id": "x"}'])
def test_what_is_no_fact_is_refused(raw: bytes) -> None:
    with pytest.raises(MalformedUsage, match=r"."):
        UsageFact.from_json(raw)


def test_figures_know_their_tokens_and_margin() -> None:
    figures = UsageFigures(input_tokens=3, output_tokens=4, charge=Decimal("5"), cost=Decimal("2"))
    assert (figures.tokens, figures.margin) == (7, Decimal(3))
