"""One decision over all limits: who is admitted, who is not, what is told, and that a denial changes nothing."""

from __future__ import annotations

import pytest
import redis as redis_library

from core.ids import new_ulid
from core.redis import key
from quotas.api import (
    AmountNotUsable,
    BlockingQuotaEngine,
    Dimension,
    EngineKeys,
    Limit,
    LimitNotUsable,
    LimitScope,
    LimitSource,
    Period,
    QuotasRecovering,
    ReservationClosed,
)
from tests.quotas.arrange import (
    CONCURRENT,
    MONEY,
    MONTH,
    REQUESTS,
    TOKENS,
    everything,
    limits,
    period_counters,
    request,
    server_seconds,
    settle,
)


def test_an_admission_holds_the_amounts_and_tells_what_is_left(engine, redis, keys) -> None:
    acme = limits(requests_per_minute=60, tokens_per_minute=1000, tokens_per_month=5000, money_per_month=900)
    admission = engine.reserve(request(acme, tokens=100, micro=50))
    assert admission.admitted
    assert admission.ticket is not None
    assert (admission.requests.limit, admission.requests.remaining) == (60, 59)
    assert (admission.tokens.limit, admission.tokens.remaining) == (1000, 900)
    assert admission.requests.reset_ms == 1000
    assert admission.tokens.reset_ms == 6000
    assert period_counters(redis, keys, acme.tenant_id) == {
        "tokens_per_month:used": 0,
        "tokens_per_month:held": 100,
        "money_per_month:used": 0,
        "money_per_month:held": 50,
    }


# (limit, what uses it up, what is then denied): each dimension alone decides.
WALLS = [
    (Limit(REQUESTS, 2), {}),
    (Limit(TOKENS, 250), {}),
    (Limit(MONTH, 250), {}),
    (Limit(MONEY, 149), {}),
    (Limit(CONCURRENT, 2), {}),
]


@pytest.mark.parametrize(("limit", "more"), WALLS, ids=lambda value: getattr(value, "dimension", None))
def test_each_dimension_denies_by_itself_and_is_named(engine, limit: Limit, more: dict) -> None:
    acme = limits(limit)
    answers = [engine.reserve(request(acme, **more)) for _ in range(3)]
    assert [answer.admitted for answer in answers] == [True, True, False]
    denial = answers[2].denial
    assert denial is not None
    assert (denial.dimension, denial.scope, denial.limit) == (limit.dimension, LimitScope.TENANT, limit.value)
    assert answers[2].ticket is None


@pytest.mark.parametrize(("limit", "more"), WALLS, ids=lambda value: getattr(value, "dimension", None))
def test_a_denial_changes_nothing(engine, redis, limit: Limit, more: dict) -> None:
    acme = limits(limit)
    for _ in range(2):
        engine.reserve(request(acme, **more))
    before = everything(redis)
    assert not engine.reserve(request(acme, **more)).admitted
    assert everything(redis) == before


@pytest.mark.parametrize("dimension", list(Dimension))
def test_zero_allows_nothing_at_all(engine, dimension: Dimension) -> None:
    acme = limits(Limit(dimension, 0))
    denial = engine.reserve(request(acme, tokens=0, micro=0)).denial
    assert denial is not None
    assert (denial.dimension, denial.limit, denial.remaining) == (dimension, 0, 0)


def test_none_is_unlimited_and_is_still_counted_by_the_month(engine, redis, keys) -> None:
    acme = limits()
    admission = engine.reserve(request(acme, tokens=10**15, micro=10**15))
    assert admission.admitted
    assert admission.requests is None
    assert admission.tokens is None
    assert period_counters(redis, keys, acme.tenant_id)["money_per_month:held"] == 10**15


def test_of_several_limits_the_one_that_lasts_longest_is_named(engine) -> None:
    acme = limits(requests_per_minute=1, tokens_per_month=150)
    assert engine.reserve(request(acme)).admitted
    denial = engine.reserve(request(acme)).denial
    assert denial is not None
    assert denial.dimension is MONTH  # a minute's wait would only lead to the next refusal


def test_a_month_denial_resets_when_the_month_ends(engine, redis, keys) -> None:
    acme = limits(tokens_per_month=99)
    denial = engine.reserve(request(acme, tokens=100)).denial
    month = engine._operations._period
    assert denial is not None
    assert denial.remaining == 99
    assert denial.reset_seconds == pytest.approx(month.ends_at - server_seconds(redis), abs=2)


def test_a_rate_denial_tells_the_true_wait(engine) -> None:
    acme = limits(tokens_per_minute=600)
    assert engine.reserve(request(acme, tokens=600)).admitted
    denial = engine.reserve(request(acme, tokens=100)).denial
    assert denial is not None
    assert (denial.remaining, denial.reset_seconds) == (0, 10)  # 100 of 600 a minute flow off in 10 s


def test_waiting_does_not_help_a_request_that_is_larger_than_the_limit(engine) -> None:
    denial = engine.reserve(request(limits(tokens_per_minute=99), tokens=100)).denial
    assert denial is not None
    assert (denial.remaining, denial.reset_seconds) == (99, None)


def test_soft_limits_are_counted_and_never_deny(engine, redis, keys) -> None:
    acme = limits(*(Limit(dimension, 1, hard=False) for dimension in Dimension))
    answers = [engine.reserve(request(acme)) for _ in range(3)]
    assert all(answer.admitted for answer in answers)
    assert answers[2].requests.remaining == 0
    assert period_counters(redis, keys, acme.tenant_id)["tokens_per_month:held"] == 300


def test_a_soft_zero_admits(engine) -> None:
    acme = limits(*(Limit(dimension, 0, hard=False) for dimension in Dimension))
    assert engine.reserve(request(acme)).admitted
    assert engine.reserve(request(acme)).admitted


def test_a_limit_lowered_below_use_denies_without_negative_figures(engine) -> None:
    acme = limits(tokens_per_month=1000, tokens_per_minute=1000, concurrent_requests=9)
    for _ in range(5):
        assert engine.reserve(request(acme)).admitted
    for name in ("tokens_per_month", "tokens_per_minute", "concurrent_requests"):
        lowered = limits(tenant_id=acme.tenant_id, **{name: 2})
        denial = engine.reserve(request(lowered, tokens=1)).denial
        assert denial is not None
        assert (denial.dimension.value, denial.limit, denial.remaining) == (name, 2, 0)


def test_a_key_has_limits_of_its_own_under_its_tenants(engine) -> None:
    acme = limits(requests_per_minute=5)
    own = (Limit(REQUESTS, 2, source=LimitSource.KEY),)
    first = [engine.reserve(request(acme, key_id="key1", key_limits=own)) for _ in range(3)]
    assert [answer.admitted for answer in first] == [True, True, False]
    assert first[2].denial.scope is LimitScope.KEY
    assert first[1].requests.limit == 2  # the one nearest to its end is shown
    others = [engine.reserve(request(acme, key_id="key2", key_limits=(Limit(REQUESTS, 9),))) for _ in range(4)]
    assert [answer.admitted for answer in others] == [True, True, True, False]
    assert others[3].denial.scope is LimitScope.TENANT


def test_every_dimension_works_in_the_keys_scope_too(engine) -> None:
    for limit, more in WALLS:
        acme = limits()
        answers = [engine.reserve(request(acme, key_id="key1", key_limits=(limit,), **more)) for _ in range(3)]
        assert [answer.admitted for answer in answers] == [True, True, False]
        assert (answers[2].denial.scope, answers[2].denial.dimension) == (LimitScope.KEY, limit.dimension)


def test_tenants_do_not_touch_each_other(engine) -> None:
    acme, globex = limits(requests_per_minute=1), limits(requests_per_minute=1)
    assert engine.reserve(request(acme)).admitted
    assert not engine.reserve(request(acme)).admitted
    assert engine.reserve(request(globex)).admitted


def test_the_same_id_again_gives_the_same_answer_and_holds_once(engine, redis, keys) -> None:
    acme = limits(requests_per_minute=60, tokens_per_month=5000)
    asked = request(acme, id="req_one")
    first = engine.reserve(asked)
    before = everything(redis)
    assert engine.reserve(asked) == first
    assert everything(redis) == before


def test_an_id_that_was_settled_cannot_be_used_again(engine) -> None:
    acme = limits()
    asked = request(acme)
    settle(engine, engine.reserve(asked).ticket)
    with pytest.raises(ReservationClosed):
        engine.reserve(asked)


def test_without_the_epoch_every_request_waits_for_the_rebuild(engine, redis, keys) -> None:
    redis.delete(keys.epoch)
    before = everything(redis)
    with pytest.raises(QuotasRecovering) as caught:
        engine.reserve(request(limits()))
    assert caught.value.status == 503
    assert caught.value.headers["retry-after"] == "2"
    assert everything(redis) == before


def test_a_process_with_a_wrong_clock_books_in_the_servers_period(redis, keys) -> None:
    asked: list[int] = []

    def find(epoch_seconds: int) -> Period:
        asked.append(epoch_seconds)
        if len(asked) == 1:  # what a process believes whose clock is far off
            return Period("wrong", 0, 10)
        return Period("right", epoch_seconds - 5, epoch_seconds + 5000)

    acme = limits()
    engine = BlockingQuotaEngine(redis, find_period=find)
    assert engine.reserve(request(acme)).admitted
    assert asked[1] == pytest.approx(server_seconds(redis), abs=2)
    assert period_counters(redis, keys, acme.tenant_id, "right")["tokens_per_month:held"] == 100
    assert not redis.exists(keys.period(acme.tenant_id, "wrong"))
    assert len(engine.peek(acme, now=None)) == 3
    assert len(asked) == 2  # found once, then kept


def test_peek_finds_the_servers_period_too(redis, keys) -> None:
    periods = iter([Period("wrong", 0, 10), Period("right", 0, 2**35)])
    engine = BlockingQuotaEngine(redis, find_period=lambda _: next(periods))
    readings = engine.peek(limits(tokens_per_month=7), now=None)
    assert {reading.resets_at.year for reading in readings if reading.resets_at} == {3058}


def test_the_configurations_sequence_comes_with_the_answer(engine, redis) -> None:
    assert engine.reserve(request(limits())).sequence == 0
    redis.set(key("gw", "sequence"), 41)
    assert engine.reserve(request(limits())).sequence == 41


BAD_AMOUNTS = [
    {"tokens": -1},
    {"tokens": 10**15 + 1},
    {"micro": -1},
    {"micro": 10**15 + 1},
    {"input_tokens": -1},
    {"input_micro": -1},
]


@pytest.mark.parametrize("amounts", BAD_AMOUNTS, ids=str)
def test_amounts_that_could_not_be_counted_are_refused(engine, redis, keys, amounts: dict) -> None:
    before = everything(redis)
    with pytest.raises(AmountNotUsable):
        engine.reserve(request(limits(), **amounts))
    assert everything(redis) == before


@pytest.mark.parametrize("value", [-1, 10**15 + 1, 1.5, True, "7"])
def test_limits_that_could_not_be_counted_are_refused(engine, value) -> None:
    with pytest.raises(LimitNotUsable):
        engine.reserve(request(limits(Limit(REQUESTS, value))))


def test_changed_limits_hold_from_the_next_request(engine) -> None:
    acme = limits(requests_per_minute=1)
    assert engine.reserve(request(acme)).admitted
    assert not engine.reserve(request(acme)).admitted
    raised = limits(tenant_id=acme.tenant_id, requests_per_minute=2)
    assert engine.reserve(request(raised)).admitted
    assert not engine.reserve(request(raised)).admitted


def test_counters_outlive_their_period_and_rates_do_not_stay(engine, redis, keys) -> None:
    acme = limits(requests_per_minute=60)
    engine.reserve(request(acme))
    month = engine._operations._period
    root = keys.tenant(acme.tenant_id)
    assert redis.expiretime(f"{root}:period:{month.id}") == month.ends_at + 62 * 86400
    assert 1000 < redis.pttl(f"{root}:rates") <= 2000


def test_a_lease_that_ran_out_frees_its_place(engine, redis) -> None:
    acme = limits(concurrent_requests=1)
    assert engine.reserve(request(acme, ttl_ms=1)).admitted
    while not engine.reserve(request(acme)).admitted:  # ends within a few milliseconds, or the test hangs visibly
        pass


def test_plans_are_compiled_once_and_dropped_when_too_many(engine, monkeypatch) -> None:
    monkeypatch.setattr("quotas.engine.operations._PLANS_KEPT", 2)
    operations = engine._operations
    acme = limits()
    first = operations.plan_of(acme, "", ())
    assert operations.plan_of(acme, "", ()) is first
    assert operations.plan_of(limits(tenant_id=acme.tenant_id), "", ()) is first  # an equal object will do
    for _ in range(2):
        operations.plan_of(limits(), "", ())
    assert len(operations._plans) <= 2
    assert operations.plan_of(acme, "", ()).encoded == first.encoded


def test_an_unknown_tenant_is_just_another_name(engine: BlockingQuotaEngine, redis: redis_library.Redis) -> None:
    odd = limits(tenant_id=f"t:{{}}:key:{new_ulid()}", requests_per_minute=1)
    assert engine.reserve(request(odd)).admitted
    assert not engine.reserve(request(odd)).admitted


def test_the_engine_names_its_keys_under_one_tag(keys: EngineKeys) -> None:
    assert keys.reservation("t1", "r1") == f"{keys.tenant('t1')}:res:r1"
    assert "{t1}" in keys.key_scope("t1", "k1")
