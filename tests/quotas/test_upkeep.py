"""What runs by itself: beat's tasks, the schedule, and the self test that a limiter limits."""

from __future__ import annotations

import importlib

import pytest
from django.core.checks import run_checks

from core.clock import utc_now
from core.redis.pipe import Script
from quotas import tasks
from quotas.api import effective_limits, self_test
from quotas.checks import check_limiter, check_profiles
from quotas.conf import SCHEDULE
from quotas.engine import rebuild, scripts
from quotas.models import QuotaAlert
from tests.cast import Player
from tests.quotas.arrange import everything, period_counters, request, settle, usage_events
from tests.quotas.books import Books


def test_every_scheduled_task_exists() -> None:
    known = {
        task.name for task in (tasks.sweep, tasks.recover, tasks.expire_limits, tasks.store_alerts, tasks.reconcile)
    }
    assert {task for _, task, _ in SCHEDULE} == known
    assert all(seconds > 0 for _, _, seconds in SCHEDULE)


def test_the_sweep_task_closes_what_was_abandoned(engine, redis, keys, acme: Player) -> None:
    engine.reserve(request(effective_limits(acme.tenant.id, now=utc_now())))
    for name in redis.zrange(keys.expiry, 0, -1):
        redis.zadd(keys.expiry, {name: 1})
    assert tasks.sweep() == 1
    assert len(usage_events(redis, keys)) == 1


def test_the_recovery_task_rebuilds_after_a_loss(redis, keys, acme: Player, monkeypatch) -> None:
    monkeypatch.setattr(rebuild, "_provider", [Books({acme.tenant.id: (7, 9)})])
    assert tasks.recover() is None
    redis.delete(keys.epoch)
    assert tasks.recover() == 1
    assert period_counters(redis, keys, acme.tenant.id)["tokens_per_month:used"] == 7


def test_the_reconcile_task_compares_every_tenant(engine, redis, keys, acme: Player, monkeypatch) -> None:
    settle(engine, engine.reserve(request(effective_limits(acme.tenant.id, now=utc_now()))).ticket, tokens=30)
    redis.delete(keys.usage)
    monkeypatch.setattr(rebuild, "_provider", [Books({acme.tenant.id: (31, 15)})])
    assert tasks.reconcile() == 1
    assert tasks.reconcile() == 0


def test_the_alerts_task_stores_them(engine, keys, acme: Player) -> None:
    limits = effective_limits(acme.tenant.id, now=utc_now())
    engine.reserve(request(limits, micro=limits.limits[3].value))
    assert tasks.store_alerts() == 3
    assert sorted(QuotaAlert.objects.values_list("threshold", flat=True)) == [80, 90, 95]


def test_the_self_test_finds_nothing_wrong_and_leaves_nothing_behind(redis, keys) -> None:
    before = everything(redis)
    assert self_test(redis) == []
    assert everything(redis) == before


def test_the_self_test_works_while_counters_are_rebuilt(redis) -> None:
    assert self_test(redis) == []


@pytest.mark.parametrize(
    ("reply", "finding"),
    [
        ("return { 1, 0, -1, 0, 0, -1, 0, 0 }", "let a request pass"),
        ("return { 0, 1, 0, 0, -1 }", "denied the first request"),
    ],
)
def test_a_limiter_that_does_not_decide_is_found(redis, monkeypatch, reply: str, finding: str) -> None:
    monkeypatch.setattr(scripts, "RESERVE", Script("broken", reply))
    monkeypatch.setattr(scripts, "RELEASE", Script("broken", "return 1"))
    faults = self_test(redis)
    assert len(faults) == 5
    assert all(finding in fault for fault in faults)
    assert [error.id for error in check_limiter(None)] == ["quotas.E002"] * 5


def test_the_check_says_when_the_limiter_cannot_be_asked(redis, monkeypatch) -> None:
    assert check_limiter(None) == []
    monkeypatch.setattr(scripts, "RESERVE", Script("broken", "return redis.error_reply('ERR no')"))
    [error] = check_limiter(None)
    assert error.id == "quotas.E003"


def test_every_type_has_a_profile(monkeypatch) -> None:
    assert check_profiles(None) == []
    monkeypatch.setattr("quotas.checks.BUILT_IN", {})
    assert len(check_profiles(None)) == 25
    assert any(message.id == "quotas.E001" for message in run_checks(tags=["quotas"]))


def test_the_front_door_is_exact() -> None:
    door = importlib.import_module("quotas.api")
    public = {name for name in vars(door) if not name.startswith("_")}
    assert public == set(door.__all__)
