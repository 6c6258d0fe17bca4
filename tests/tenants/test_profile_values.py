"""Which value of a profile holds: pure, without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ids import new_ulid
from tenants.data import OverrideFacts, ProfileField, ResourceAmounts, TenantType, ValueSource
from tenants.errors import ProfileValueNotUsable
from tenants.profiles.built_in import BUILT_IN
from tenants.profiles.values import checked_value, counts, resolve

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KIND = TenantType.INDIVIDUAL
SLOTS, MODELS = ProfileField.WORKER_SLOTS, ProfileField.ALLOWED_MODELS


def override(value: object, *, starts: int = -1, ends: int | None = None, made: int = 0, field: ProfileField = SLOTS):
    """Hours from now; `made` orders the overrides."""
    until = None if ends is None else NOW + ends * HOUR
    return OverrideFacts(new_ulid(1_000 + made), "t1", field, value, "why", "olivia", NOW + starts * HOUR, until)


def effective(*overrides: OverrideFacts, at: datetime = NOW):
    return resolve("t1", KIND, BUILT_IN[KIND], overrides, at)


def test_every_type_has_a_value_for_every_field_and_no_two_are_the_same() -> None:
    assert all(set(BUILT_IN[kind]) == set(ProfileField) for kind in TenantType)
    assert len({tuple(BUILT_IN[kind].items()) for kind in TenantType}) == len(TenantType)
    for kind in TenantType:
        for field, value in BUILT_IN[kind].items():
            assert checked_value(field, value) == value


def test_without_an_override_the_type_decides() -> None:
    profile = effective()
    assert profile.ceiling == ResourceAmounts(500, 512, 2_048, 0, 2)
    assert {value.source for value in profile.values.values()} == {ValueSource.PROFILE}


def test_an_override_decides_and_says_what_the_type_would_give() -> None:
    row = override(9)
    value = effective(row)[SLOTS]
    assert (value.value, value.profile_value, value.source, value.override) == (9, 2, ValueSource.OVERRIDE, row)
    assert effective(row).ceiling.worker_slots == 9


def test_of_several_the_one_made_last_decides_and_when_it_is_over_the_older_one_does() -> None:
    lasting, promotion = override(5, made=1), override(9, ends=2, made=2)
    assert effective(promotion, lasting)[SLOTS].override is promotion
    assert effective(promotion, lasting)[SLOTS].beside == (lasting,)
    later = effective(lasting, promotion, at=NOW + 2 * HOUR)[SLOTS]
    assert (later.override, later.beside) == (lasting, ())


def test_an_override_holds_from_its_first_instant_and_no_longer_at_its_last() -> None:
    row = override(9, starts=1, ends=2)
    answers = [
        effective(row, at=NOW + HOUR + delta)[SLOTS].value for delta in (-timedelta(microseconds=1), timedelta())
    ]
    assert answers == [2, 9]
    assert not counts(row, NOW + 2 * HOUR)
    assert effective(row)[SLOTS].beside == (row,)


def test_where_two_overrides_contradict_what_may_at_most_be_counts() -> None:
    least = override(50, made=2, field=ProfileField.MIN_REPLICAS)
    scaling = effective(override(3, made=1, field=ProfileField.MAX_REPLICAS), least).scaling
    assert (scaling.min_replicas, scaling.max_replicas) == (3, 3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (SLOTS, -1),
        (SLOTS, True),
        (SLOTS, "5"),
        (SLOTS, 1.5),
        (ProfileField.MAX_REPLICAS, 0),
        (ProfileField.RETENTION_DAYS, 0),
        (ProfileField.FAILURE_POLICY, "OPEN"),
        (ProfileField.ISOLATION_LEVEL, None),
        (MODELS, "gpt"),
        (MODELS, [""]),
        (MODELS, [" gpt"]),
        (MODELS, ["a\x00"]),
        (MODELS, [1]),
        (MODELS, ["x" * 121]),
        (MODELS, [f"m{number}" for number in range(201)]),
        (ProfileField.DEFAULT_PLAN, "p" * 41),
        (ProfileField.DEFAULT_PLAN, 1),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_under_its_field(field: ProfileField, value: object) -> None:
    with pytest.raises(ProfileValueNotUsable) as refused:
        checked_value(field, value)
    assert list(refused.value.fields) == [field.value]


def test_models_are_kept_once_each_and_in_order() -> None:
    assert checked_value(MODELS, ["b", "a", "b"]) == ("a", "b")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(-5, 5), st.none() | st.integers(1, 5)), max_size=6))
def test_what_decides_always_counts_and_nothing_that_counts_is_newer(rows: list[tuple[int, int, int | None]]) -> None:
    made = [
        override(value, starts=starts, ends=None if lasts is None else starts + lasts, made=place)
        for place, (value, starts, lasts) in enumerate(rows)
    ]
    value = effective(*made)[SLOTS]
    counting = [row for row in made if counts(row, NOW)]
    assert value.override is (counting[-1] if counting else None)
    assert value.value == (counting[-1].value if counting else 2)
