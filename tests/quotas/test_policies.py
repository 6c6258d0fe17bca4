"""Which limit holds, and why."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotas.api import Dimension, EffectiveLimits, Limit, LimitSource, calendar_month, limits_of_key
from quotas.policies import BUILT_IN, LimitRow, resolve
from tenants.data import KeyLimits, TenantType
from tests.quotas.arrange import CONCURRENT, MONEY, MONTH, REQUESTS, TOKENS

_SOURCES = [LimitSource.TENANT_TYPE, LimitSource.PLAN, LimitSource.OVERRIDE]


def _row(source: LimitSource, value: int | None, revision: int = 1, **more) -> LimitRow:
    return LimitRow(source, source.value, REQUESTS, value, more.pop("hard", True), revision, **more)


def _requests(*rows: LimitRow) -> Limit:
    return resolve("t1", TenantType.INDIVIDUAL, rows)[REQUESTS]


def test_without_any_row_the_types_built_in_profile_holds() -> None:
    for kind in TenantType:
        effective = resolve("t1", kind, [])
        assert {limit.dimension: limit.value for limit in effective.limits} == BUILT_IN[kind]
        assert {limit.source for limit in effective.limits} == {LimitSource.BUILT_IN}
        assert all(limit.hard for limit in effective.limits)


@given(st.permutations(_SOURCES), st.integers(0, 3))
def test_the_strongest_source_that_is_given_decides_in_whatever_order(order: list[LimitSource], count: int) -> None:
    given_sources = order[:count]
    rows = [_row(source, 10 + _SOURCES.index(source)) for source in given_sources]
    strongest = max(given_sources, key=_SOURCES.index, default=LimitSource.BUILT_IN)
    limit = _requests(*rows)
    assert limit.source is strongest
    if rows:
        assert limit.value == 10 + _SOURCES.index(strongest)


def test_an_override_may_be_unlimited_nothing_or_soft() -> None:
    plan = _row(LimitSource.PLAN, 5)
    assert _requests(plan, _row(LimitSource.OVERRIDE, None)).value is None
    assert _requests(plan, _row(LimitSource.OVERRIDE, 0)).value == 0
    assert not _requests(plan, _row(LimitSource.OVERRIDE, 7, hard=False)).hard


def test_a_cleared_override_decides_nothing_but_makes_a_new_version() -> None:
    plan, cleared = _row(LimitSource.PLAN, 5, revision=3), _row(LimitSource.OVERRIDE, 9, revision=8, is_active=False)
    limit = _requests(plan, cleared)
    assert (limit.value, limit.source, limit.version) == (5, LimitSource.PLAN, 8)


def test_a_change_under_an_override_makes_no_new_version() -> None:
    override = _row(LimitSource.OVERRIDE, 9, revision=4)
    assert _requests(_row(LimitSource.PLAN, 5, revision=99), override).version == 4


def test_the_explanation_names_each_step_and_the_one_that_decided() -> None:
    rows = [
        _row(LimitSource.OVERRIDE, 9),
        _row(LimitSource.PLAN, 5),
        _row(LimitSource.TENANT_TYPE, 3),
    ]
    steps = resolve("t1", TenantType.INDIVIDUAL, rows).steps[REQUESTS]
    assert [(step.source, step.value, step.applies) for step in steps] == [
        (LimitSource.BUILT_IN, 60, False),
        (LimitSource.TENANT_TYPE, 3, False),
        (LimitSource.PLAN, 5, False),
        (LimitSource.OVERRIDE, 9, True),
    ]
    assert steps[0].label == "INDIVIDUAL"


def test_a_cleared_override_is_no_step() -> None:
    cleared = _row(LimitSource.OVERRIDE, 9, is_active=False)
    steps = resolve("t1", TenantType.INDIVIDUAL, [cleared]).steps[REQUESTS]
    assert [step.source for step in steps] == [LimitSource.BUILT_IN]


def test_a_keys_own_limits_are_those_that_it_has() -> None:
    assert limits_of_key(KeyLimits()) == ()
    assert limits_of_key(KeyLimits(requests_per_minute=0)) == (Limit(REQUESTS, 0, source=LimitSource.KEY),)
    both = limits_of_key(KeyLimits(requests_per_minute=5, tokens_per_minute=7))
    assert [(limit.dimension, limit.value) for limit in both] == [(REQUESTS, 5), (TOKENS, 7)]


_any_value = st.one_of(st.none(), st.integers(0, 10**15))
_any_limits = st.tuples(
    *(st.builds(Limit, st.just(dimension), _any_value, st.booleans(), st.integers(0)) for dimension in Dimension)
)


@given(_any_limits)
def test_limits_survive_the_way_to_the_gateway(given_limits: tuple[Limit, ...]) -> None:
    limits = EffectiveLimits("t1", given_limits)
    assert EffectiveLimits.from_record(limits.to_record()) == limits


def test_a_dimension_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        EffectiveLimits("t1", ())[MONEY]


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_every_instant_lies_in_the_one_month_that_names_it(instant: datetime) -> None:
    second = int(instant.timestamp())
    month = calendar_month(second)
    assert month.id == f"{instant:%Y-%m}"
    assert month.starts_at <= second < month.ends_at
    assert calendar_month(month.ends_at).starts_at == month.ends_at
    assert calendar_month(month.starts_at) == calendar_month(month.ends_at - 1) == month


def test_dimensions_know_how_and_what_they_count() -> None:
    assert {dimension.window_us for dimension in (REQUESTS, TOKENS)} == {60_000_000}
    assert {dimension.window_us for dimension in (MONTH, MONEY, CONCURRENT)} == {0}
