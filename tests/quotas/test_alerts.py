"""Alerts are transitions: found in the deciding step, told once, armed again when the limit changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit.models import OutboxEvent
from core.clock import utc_now
from quotas.api import Dimension, Limit, ThresholdReached, store_alerts
from quotas.models import QuotaAlert
from tests.quotas.arrange import CONCURRENT, MONEY, MONTH, TOKENS, limits, request, settle


def _announced(redis, keys) -> list[tuple[str, int]]:
    return [(fields[b"dimension"].decode(), int(fields[b"threshold"])) for _, fields in redis.xrange(keys.alerts)]


def test_each_threshold_is_announced_when_use_rises_over_it(engine, redis, keys) -> None:
    acme, seen = limits(tokens_per_month=1000), []
    for amount in (700, 150, 10, 50, 30, 20, 40):
        engine.reserve(request(acme, tokens=amount))
        seen.append([threshold for _, threshold in _announced(redis, keys)])
    assert seen == [[], [80], [80], [80, 90], [80, 90], [80, 90, 95], [80, 90, 95]]


def test_a_threshold_is_reached_exactly_not_before(engine, redis, keys) -> None:
    acme = limits(tokens_per_month=1000)
    engine.reserve(request(acme, tokens=799))
    assert _announced(redis, keys) == []
    engine.reserve(request(acme, tokens=1))
    assert _announced(redis, keys) == [("tokens_per_month", 80)]


def test_a_jump_announces_all_that_it_passes(engine, redis, keys) -> None:
    engine.reserve(request(limits(money_per_month=100), micro=97))
    assert _announced(redis, keys) == [("money_per_month", threshold) for threshold in (80, 90, 95)]


def test_falling_and_rising_again_is_not_announced_again(engine, redis, keys) -> None:
    acme = limits(tokens_per_month=100)
    for _ in range(3):
        engine.release(engine.reserve(request(acme, tokens=85)).ticket)
    assert _announced(redis, keys) == [("tokens_per_month", 80)]


def test_a_settlement_above_what_was_reserved_announces_too(engine, redis, keys) -> None:
    acme = limits(tokens_per_month=100)
    settle(engine, engine.reserve(request(acme, tokens=10)).ticket, tokens=92)
    assert _announced(redis, keys) == [("tokens_per_month", 80), ("tokens_per_month", 90)]


@pytest.mark.parametrize("change", [{"version": 2}, {"value": 101}])
def test_a_changed_limit_is_armed_again(engine, redis, keys, change: dict) -> None:
    acme = limits(Limit(MONTH, 100, version=1))
    engine.reserve(request(acme, tokens=85))
    changed = Limit(MONTH, **{"value": 100, "version": 1, **change})
    for _ in range(2):
        engine.reserve(request(limits(changed, tenant_id=acme.tenant_id), tokens=1))
    assert _announced(redis, keys) == [("tokens_per_month", 80)] * 2


def test_hard_rates_and_levels_do_not_alert_for_they_deny(engine, redis, keys) -> None:
    acme = limits(requests_per_minute=1, tokens_per_minute=100, concurrent_requests=1)
    engine.reserve(request(acme, tokens=100))
    assert _announced(redis, keys) == []


def test_soft_rates_and_levels_alert(engine, redis, keys) -> None:
    soft = [Limit(dimension, 100, hard=False) for dimension in (TOKENS, CONCURRENT)]
    acme = limits(*soft)
    engine.reserve(request(acme, tokens=90))
    assert _announced(redis, keys) == [("tokens_per_minute", 80), ("tokens_per_minute", 90)]
    for _ in range(79):
        engine.reserve(request(acme, tokens=0))
    assert _announced(redis, keys)[-1] == ("concurrent_requests", 80)
    engine.reserve(request(acme, tokens=0))
    assert _announced(redis, keys).count(("concurrent_requests", 80)) == 1


def test_a_settlement_over_a_soft_rate_alerts(engine, redis, keys) -> None:
    acme = limits(Limit(TOKENS, 1000, hard=False))
    settle(engine, engine.reserve(request(acme, tokens=10)).ticket, tokens=960)
    assert [threshold for _, threshold in _announced(redis, keys)] == [80, 90, 95]


def test_unlimited_and_soft_zero(engine, redis, keys) -> None:
    engine.reserve(request(limits(), tokens=10**15))
    assert _announced(redis, keys) == []
    engine.reserve(request(limits(Limit(MONEY, 0, hard=False)), micro=1))
    assert [threshold for _, threshold in _announced(redis, keys)] == [80, 90, 95]


def test_a_denial_announces_nothing(engine, redis, keys) -> None:
    assert not engine.reserve(request(limits(tokens_per_month=100), tokens=101)).admitted
    assert _announced(redis, keys) == []


@pytest.fixture
def commits(db: None, django_capture_on_commit_callbacks):
    """Run what hangs on the commit, which a test's transaction never reaches."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


def _told() -> list[tuple[object, ...]]:
    rows = OutboxEvent.objects.filter(type_name=ThresholdReached.type_name)
    fields = ("scope", "dimension", "threshold", "used", "limit")
    return sorted(tuple(row.payload[field] for field in fields) for row in rows)


def test_each_is_stored_and_a_jump_is_told_once_with_the_highest(engine, redis, keys, commits) -> None:
    acme, own = limits(money_per_month=1000), (Limit(MONTH, 10),)
    engine.reserve(request(acme, micro=970, tokens=8, key_id="k1", key_limits=own))
    with commits():
        assert store_alerts() == 4
    assert redis.xlen(keys.alerts) == 0
    assert _told() == [("key:k1", "tokens_per_month", 80, 8, 10), ("tenant", "money_per_month", 95, 970, 1000)]


def test_what_a_killed_worker_left_is_stored_and_told_once(engine, redis, keys, commits) -> None:
    engine.reserve(request(limits(money_per_month=1000), micro=970))
    entries = redis.xrange(keys.alerts)
    with commits():
        assert store_alerts() == 3
    for _, fields in entries:  # they were stored, and not yet forgotten
        redis.xadd(keys.alerts, fields)
    with commits():
        assert store_alerts() == 0
    assert QuotaAlert.objects.count() == 3
    assert len(_told()) == 1
    assert redis.xlen(keys.alerts) == 0


def test_nothing_waits_nothing_is_stored(db, redis, keys) -> None:
    assert store_alerts() == 0


def test_an_alert_is_stored_with_whose_it_is_and_how_far_it_went(db, engine, keys) -> None:
    acme = limits(money_per_month=100)
    before = utc_now()
    engine.reserve(request(acme, micro=92))
    store_alerts()
    alerts = QuotaAlert.objects.filter(tenant_id=acme.tenant_id).order_by("-threshold")
    assert [alert.threshold for alert in alerts] == [90, 80]
    assert {(alert.scope, alert.dimension, alert.limit, alert.level) for alert in alerts} == {
        ("tenant", Dimension.MONEY_PER_MONTH, 100, 92)
    }
    assert alerts[0].period == f"{datetime.now(tz=UTC):%Y-%m}"
    assert abs((alerts[0].reached_at - before).total_seconds()) < 30
