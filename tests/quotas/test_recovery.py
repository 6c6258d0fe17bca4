"""Counters after a loss, drift against the books, and corrections: exact whatever happens in between."""

from __future__ import annotations

import pytest
import redis as redis_library
from redis.backoff import NoBackoff
from redis.retry import Retry

from core.errors import Unavailable
from core.ids import new_ulid
from core.redis import key
from quotas.api import (
    BlockingQuotaEngine,
    Outcome,
    QuotasRecovering,
    correct_money,
    is_recovering,
    reconcile,
    recover,
    register_totals_provider,
    sweep,
)
from quotas.engine import rebuild
from tests.quotas.arrange import everything, limits, period_counters, request, settle, usage_events
from tests.quotas.books import Books


@pytest.fixture
def books(monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setattr(rebuild, "_provider", [])
    return register_totals_provider(Books())


def _used(redis, keys, tenant_id: str) -> tuple[int, int]:
    counters = period_counters(redis, keys, tenant_id)
    return counters["tokens_per_month:used"], counters["money_per_month:used"]


def test_a_loss_is_rebuilt_from_the_books_and_requests_pass_again(engine, redis, keys, books) -> None:
    acme = limits(tokens_per_month=1000)
    settle(engine, engine.reserve(request(acme)).ticket, tokens=920, micro=40)
    books.totals = {acme.tenant_id: (920, 40), new_ulid(): (5, 6)}
    redis.flushdb()
    assert is_recovering(redis)
    with pytest.raises(QuotasRecovering):
        engine.reserve(request(acme))
    assert recover(redis) == 2
    assert not is_recovering(redis)
    assert books.asked[0].id == engine._operations._period.id
    assert not engine.reserve(request(acme, tokens=81)).admitted
    assert engine.reserve(request(acme, tokens=80)).admitted
    assert not redis.exists(keys.recovery)


def test_settlements_during_a_recovery_are_counted_beside_the_books(engine, redis, keys, books) -> None:
    acme = limits()
    early, late = (engine.reserve(request(acme)).ticket for _ in range(2))
    redis.flushdb()
    books.totals = {acme.tenant_id: (1000, 500)}  # what was ingested before the loss
    assert settle(engine, early, tokens=30, micro=3) is Outcome.BOOKED_WITHOUT_RESERVATION
    assert recover(redis) == 1
    assert settle(engine, late, tokens=40, micro=4) is Outcome.BOOKED_WITHOUT_RESERVATION
    assert _used(redis, keys, acme.tenant_id) == (1070, 507)
    assert len(usage_events(redis, keys)) == 2


def test_a_recovery_that_was_killed_is_repeated_and_adds_nothing_twice(redis, keys, books) -> None:
    redis.delete(keys.epoch)
    tenants = [new_ulid() for _ in range(3)]
    books.totals = {tenant_id: (100, 10) for tenant_id in tenants}
    books.fail_after = 2
    with pytest.raises(RuntimeError):
        recover(redis)
    assert is_recovering(redis)
    books.fail_after = None
    assert recover(redis) == 1
    assert [_used(redis, keys, tenant_id) for tenant_id in tenants] == [(100, 10)] * 3


def test_a_second_loss_is_another_recovery(redis, keys, books) -> None:
    tenant_id = new_ulid()
    books.totals = {tenant_id: (100, 10)}
    for _ in range(2):
        redis.flushdb()
        assert recover(redis) == 1
        assert _used(redis, keys, tenant_id) == (100, 10)


def test_nothing_is_rebuilt_while_the_counters_are_whole(redis, keys, books) -> None:
    assert recover(redis) is None
    assert books.asked == []


def test_without_books_nothing_passes(redis, keys, monkeypatch) -> None:
    monkeypatch.setattr(rebuild, "_provider", [])
    redis.delete(keys.epoch)
    assert recover(redis) is None
    assert is_recovering(redis)


def test_drift_is_repaired_by_a_signed_correction(engine, redis, keys, books) -> None:
    acme, globex, quiet = limits(), limits(), limits()
    for tenant in (acme, globex):
        settle(engine, engine.reserve(request(tenant)).ticket, tokens=100, micro=50)
    redis.delete(keys.usage)  # all of it ingested
    books.totals = {acme.tenant_id: (90, 55), globex.tenant_id: (100, 50)}
    ids = [acme.tenant_id, globex.tenant_id, quiet.tenant_id]
    [drift] = reconcile(redis, ids)
    assert (drift.tenant_id, drift.tokens, drift.micro) == (acme.tenant_id, -10, 5)
    assert _used(redis, keys, acme.tenant_id) == (90, 55)
    assert reconcile(redis, ids) == ()


def test_counters_that_nobody_booked_go_back_to_nothing(engine, redis, keys, books) -> None:
    acme = limits()
    settle(engine, engine.reserve(request(acme)).ticket, tokens=100, micro=50)
    redis.delete(keys.usage)
    assert len(reconcile(redis, [acme.tenant_id])) == 1
    assert _used(redis, keys, acme.tenant_id) == (0, 0)


def test_nothing_is_compared_while_events_wait(engine, redis, keys, books) -> None:
    acme = limits()
    settle(engine, engine.reserve(request(acme)).ticket)
    assert reconcile(redis, [acme.tenant_id]) == ()
    assert books.asked == []


def test_a_settlement_while_the_books_are_read_is_not_undone(engine, redis, keys, books) -> None:
    acme = limits()
    ticket = engine.reserve(request(acme)).ticket
    books.totals = {acme.tenant_id: (7, 7)}
    books.before_answer = lambda: settle(engine, ticket, tokens=30, micro=3)
    assert reconcile(redis, [acme.tenant_id]) == ()
    assert _used(redis, keys, acme.tenant_id) == (30, 3)


def test_a_settlement_that_was_ingested_while_the_books_were_read_is_not_undone(engine, redis, keys, books) -> None:
    acme = limits()
    ticket = engine.reserve(request(acme)).ticket
    books.totals = {acme.tenant_id: (7, 7)}
    books.before_answer = lambda: (settle(engine, ticket, tokens=30, micro=3), redis.delete(keys.usage))
    assert reconcile(redis, [acme.tenant_id]) == ()
    assert _used(redis, keys, acme.tenant_id) == (30, 3)


def test_nothing_is_compared_without_books_or_counters(redis, keys, books, monkeypatch) -> None:
    redis.delete(keys.epoch)
    assert reconcile(redis, [new_ulid()]) == ()
    redis.set(keys.epoch, "test")
    monkeypatch.setattr(rebuild, "_provider", [])
    assert reconcile(redis, [new_ulid()]) == ()


def _correct(redis, tenant_id: str, period_id: str, delta: int, correction_id: str) -> bool:
    return correct_money(
        redis, tenant_id=tenant_id, period_id=period_id, delta_micro=delta, correction_id=correction_id
    )


def test_a_correction_is_applied_once(engine, redis, keys) -> None:
    acme = limits()
    settle(engine, engine.reserve(request(acme)).ticket, tokens=30, micro=100)
    month = engine._operations._period.id
    assert _correct(redis, acme.tenant_id, month, -40, "c1")
    assert not _correct(redis, acme.tenant_id, month, -40, "c1")
    assert _correct(redis, acme.tenant_id, month, 5, "c2")
    assert _used(redis, keys, acme.tenant_id) == (30, 65)


def test_a_correction_never_leads_below_nothing(redis, keys) -> None:
    tenant_id = new_ulid()
    assert _correct(redis, tenant_id, "2026-11", -40, "c1")
    name = keys.period(tenant_id, "2026-11")
    assert redis.hgetall(name) == {b"money_per_month:used": b"0"}
    assert redis.ttl(name) > 0


def test_a_correction_during_a_recovery_is_left_to_it(redis, keys) -> None:
    redis.delete(keys.epoch)
    before = everything(redis)
    assert not _correct(redis, new_ulid(), "2026-11", 5, "c1")
    assert everything(redis) == before


def test_a_corrected_counter_is_counted_on_by_requests(engine, redis, keys) -> None:
    acme = limits(money_per_month=100)
    month = engine._operations._period
    assert _correct(redis, acme.tenant_id, month.id, 60, "c1")
    assert not engine.reserve(request(acme, micro=41)).admitted
    assert engine.reserve(request(acme, micro=40)).admitted
    assert redis.expiretime(keys.period(acme.tenant_id, month.id)) == month.ends_at + 62 * 86400


def test_everything_says_unavailable_when_redis_is_away() -> None:
    away = redis_library.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0))
    engine = BlockingQuotaEngine(away)
    for call in (lambda: engine.reserve(request(limits())), lambda: is_recovering(away), lambda: sweep(away)):
        with pytest.raises(Unavailable):
            call()


def test_a_script_is_loaded_again_after_the_server_forgot_it(engine, redis, keys) -> None:
    acme = limits()
    engine.reserve(request(acme))
    redis.script_flush()
    assert engine.reserve(request(acme)).admitted


def test_recovery_is_not_confused_by_keys_of_others(redis, keys, books) -> None:
    redis.set(key("elsewhere"), "1")
    redis.delete(keys.epoch)
    assert recover(redis) == 0
    assert redis.get(key("elsewhere")) == b"1"
