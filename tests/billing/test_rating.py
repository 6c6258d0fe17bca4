"""The rating engine against published results and against its own laws."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.data import ChargeModel, PriceTerms, RatedSlice, SliceKind, Tier
from billing.errors import InvalidPrice, InvalidQuantity
from billing.rating import Curve, amount_of, check_terms, exact_amount, rate
from tests.billing.terms import any_terms, graduated, package, per_unit, tiers, units, volume

D = Decimal
GRADUATED = graduated(("10", "10", "2"), ("20", "5", "3"), (None, "5", "3"))
VOLUME = volume(("5", "0", "100"), ("10", "0", "150"), ("15", "10", "0"), (None, "5", "0"))
CALLS = graduated(("10000", "0.001", "0"), ("100000", "0.0008", "0"), (None, "0.0005", "0"))


@pytest.mark.parametrize(
    ("terms", "quantity", "expected"),
    [
        (GRADUATED, 12, "115"),  # 10 * 10 + 2, then 2 * 5 + 3; volume would give 63
        (GRADUATED, 21, "163"),  # 102, then 10 * 5 + 3, then 1 * 5 + 3; the last flat is entered
        (GRADUATED, 10, "102"),  # the bound is inclusive: no second tier's flat amount
        (GRADUATED, D("10.5"), "107.5"),  # 102 + 0.5 * 5 + 3
        (VOLUME, 15, "150"),  # inclusive bound: 15 * 10; exclusive would give 75
        (VOLUME, 16, "80"),  # all units at 5
        (VOLUME, D("5.001"), "150"),  # a fraction above the bound belongs to the next tier
        (VOLUME, 5, "100"),
        (package("1.00", "10"), 121, "13"),  # 13 started packages; a proportional price would give 12.1
        (package("1.00", "10", "10"), 121, "12"),  # 111 units left after the free ones
        (CALLS, 150_000, "107"),  # 10 + 72 + 25
        (per_unit("0.000003"), 1_000_001, "3.000003"),
        (per_unit("2", "10"), 10, "0"),
        (per_unit("2", "10"), 11, "2"),
        (graduated(("10", "1", "5"), (None, "2", "0"), included="100"), 115, "25"),  # 10 * 1 + 5, 5 * 2
        (volume(("10", "1", "5"), (None, "2", "7"), included="100"), 115, "37"),  # 15 * 2 + 7
    ],
)
def test_a_period_costs_what_was_published(terms: PriceTerms, quantity: int, expected: str) -> None:
    assert amount_of(terms, 0, quantity) == D(expected)
    assert sum(part.amount for part in rate(terms, 0, quantity)) == D(expected)


def test_no_usage_costs_nothing_and_makes_no_line() -> None:
    for terms in (GRADUATED, VOLUME, package("1", "10"), per_unit("1")):
        assert amount_of(terms, 0, 0) == 0
        assert rate(terms, 5, 0) == ()


def test_each_slice_explains_itself() -> None:
    first, second = rate(GRADUATED, 8, 4)
    assert first == RatedSlice(SliceKind.USAGE, 1, D(2), D(2), D(10), D(0), D(20))
    assert second == RatedSlice(SliceKind.USAGE, 2, D(2), D(2), D(5), D(3), D(13))
    assert second.formula == "2 \u00d7 5 + 3 = 13"
    assert first.formula == "2 \u00d7 10 = 20"


def test_included_units_are_shown_as_a_slice_of_their_own() -> None:
    free, paid = rate(per_unit("2", "10"), 4, 8)
    assert free == RatedSlice(SliceKind.INCLUDED, 0, D(6), D(6), D(0), D(0), D(0))
    assert paid == RatedSlice(SliceKind.USAGE, 1, D(2), D(2), D(2), D(0), D(4))
    assert free.formula == "6 \u00d7 0 = 0"


def test_a_volume_price_that_changes_its_tier_reprices_what_was_rated() -> None:
    fresh, repriced = rate(VOLUME, 15, 1)
    assert fresh == RatedSlice(SliceKind.USAGE, 4, D(1), D(1), D(5), D(0), D(5))
    assert repriced == RatedSlice(SliceKind.REPRICING, 4, D(15), D(15), D(-5), D(0), D(-75))
    assert fresh.amount + repriced.amount == D(80) - D(150)


def test_a_volume_price_inside_one_tier_reprices_nothing() -> None:
    assert rate(VOLUME, 11, 2) == (RatedSlice(SliceKind.USAGE, 3, D(2), D(2), D(10), D(0), D(20)),)


def test_a_package_is_paid_when_it_is_started_and_counts_packages() -> None:
    assert rate(package("1", "10"), 17, 5) == (RatedSlice(SliceKind.USAGE, 1, D(5), D(1), D(1), D(0), D(1)),)
    assert rate(package("1", "10"), 11, 5) == (RatedSlice(SliceKind.USAGE, 1, D(5), D(0), D(1), D(0), D(0)),)


def test_decimal_quantities_keep_every_digit() -> None:
    terms = per_unit("0.000000000001")
    assert amount_of(terms, 0, D("0.000001")) == D("1E-18")
    assert amount_of(terms, 0, D("1.000000")) == D("1E-12")


def test_amounts_are_written_without_an_exponent() -> None:
    assert str(exact_amount(100 * 10**18)) == "100.000000000000"


@pytest.mark.parametrize(
    "quantity", [-1, D("-0.1"), D("NaN"), D("Infinity"), D("0.0000001"), 10**18 + 1, D(10) ** 19, 0.5, "many"]
)
def test_a_quantity_that_cannot_be_rated_is_refused(quantity: Decimal) -> None:
    for arguments in ((quantity, 1), (1, quantity)):
        with pytest.raises(InvalidQuantity) as refusal:
            amount_of(GRADUATED, *arguments)
        assert "quantity" in refusal.value.fields


def test_the_most_that_can_be_rated_is_rated_exactly() -> None:
    most = replace(per_unit("1000000000000"), included_units=D(10**18))
    check_terms(most)
    assert amount_of(most, 0, 10**18) == 0
    assert amount_of(per_unit("1000000000000"), 0, 10**18) == D(10**30)


def test_terms_without_an_open_tier_do_not_price_beyond_their_last_bound() -> None:
    terms = PriceTerms(ChargeModel.GRADUATED, tiers(("10", "1", "0")))
    with pytest.raises(InvalidQuantity, match=r"."):
        Curve(terms).total(11 * 10**6)


def test_the_stage_counts_included_units_as_zero() -> None:
    curve = Curve(graduated(("10", "1", "0"), (None, "2", "0"), included="5"))
    assert [curve.tier_at(position) for position in (0, 4, 5, 14, 15, 100)] == [0, 0, 1, 1, 2, 2]
    assert [Curve(GRADUATED).tier_at(position) for position in (0, 9, 10, 20)] == [1, 1, 2, 3]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (replace(GRADUATED, included_units=D("-1")), "included_units"),
        (replace(GRADUATED, included_units=D("NaN")), "included_units"),
        (replace(GRADUATED, package_size=D(0)), "package_size"),
        (replace(GRADUATED, package_size=D("Infinity")), "package_size"),
        (replace(GRADUATED, tiers=()), "tiers"),
        (replace(GRADUATED, tiers=tiers(("10", "1", "0"))), "tiers"),
        (replace(GRADUATED, charge_model=ChargeModel.PER_UNIT), "tiers"),
        (replace(package("1", "10"), tiers=tiers((None, "1", "1"))), "tiers"),
        (graduated(("10", "-1", "0"), (None, "1", "0")), "tiers.0.unit_amount"),
        (graduated(("10", "0.0000000000001", "0"), (None, "1", "0")), "tiers.0.unit_amount"),
        (graduated(("10", "1", "0"), (None, "1", "1000000000001")), "tiers.1.flat_amount"),
        (graduated(("10", "1", "0"), ("10", "1", "0"), (None, "1", "0")), "tiers.1.up_to"),
        (graduated(("10", "1", "0"), ("5", "1", "0"), (None, "1", "0")), "tiers.1.up_to"),
        (graduated(("0", "1", "0"), (None, "1", "0")), "tiers.0.up_to"),
        (graduated(("NaN", "1", "0"), (None, "1", "0")), "tiers.0.up_to"),
        (graduated((None, "1", "0"), (None, "1", "0")), "tiers.0.up_to"),
    ],
)
def test_terms_that_cannot_be_used_are_refused_with_the_field(terms: PriceTerms, field: str) -> None:
    with pytest.raises(InvalidPrice) as refusal:
        check_terms(terms)
    assert field in refusal.value.fields


@given(any_terms())
def test_drawn_terms_are_valid_and_survive_their_json_form(terms: PriceTerms) -> None:
    check_terms(terms)
    assert PriceTerms.from_dict(terms.to_dict()) == terms


@given(any_terms(), units, units)
def test_slices_sum_to_the_amount(terms: PriceTerms, before: Decimal, quantity: Decimal) -> None:
    parts = rate(terms, before, quantity)
    assert sum(part.amount for part in parts) == amount_of(terms, before, quantity)
    counted = sum(part.units for part in parts if part.kind is not SliceKind.REPRICING)
    assert counted == quantity
    for part in parts:
        assert part.quantity * part.unit_amount + part.flat_amount == part.amount


@given(any_terms(), st.lists(units, max_size=6))
def test_the_slices_of_a_period_sum_to_the_whole_period(terms: PriceTerms, pieces: list[Decimal]) -> None:
    position, total = D(0), D(0)
    for piece in pieces:
        total += amount_of(terms, position, piece)
        position += piece
    assert total == amount_of(terms, 0, position)


@given(any_terms((ChargeModel.PER_UNIT, ChargeModel.GRADUATED, ChargeModel.PACKAGE)), units, units)
def test_more_usage_never_costs_less_unless_the_price_is_by_volume(
    terms: PriceTerms, before: Decimal, quantity: Decimal
) -> None:
    assert amount_of(terms, before, quantity) >= 0


@given(any_terms((ChargeModel.VOLUME,)), units, units)
def test_a_volume_price_falls_only_where_a_tier_begins(terms: PriceTerms, before: Decimal, quantity: Decimal) -> None:
    kinds = {part.kind for part in rate(terms, before, quantity)}
    assert amount_of(terms, before, quantity) >= 0 or SliceKind.REPRICING in kinds


@given(any_terms(), units)
def test_included_units_shift_the_whole_curve(terms: PriceTerms, quantity: Decimal) -> None:
    without = replace(terms, included_units=D(0))
    assert amount_of(terms, 0, terms.included_units) == 0
    assert amount_of(terms, terms.included_units, quantity) == amount_of(without, 0, quantity)


@given(any_terms((ChargeModel.GRADUATED,)))
def test_a_tier_edge_belongs_to_the_tier_below(terms: PriceTerms) -> None:
    for index, tier in enumerate(terms.tiers[:-1]):
        assert tier.up_to is not None
        edge = terms.included_units + tier.up_to
        following: Tier = terms.tiers[index + 1]
        step = amount_of(terms, edge, D("0.000001"))
        assert step == D("0.000001") * following.unit_amount + following.flat_amount
        assert rate(terms, 0, edge)[-1].tier == index + 1
