"""A round of scaling on the real database and the real Redis; the backend's report is written by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis as redis_library
from django.db import DatabaseError, connection, transaction
from redis.backoff import NoBackoff
from redis.retry import Retry

from audit.models import OutboxEvent
from core.clock import utc_now
from core.redis import control, key
from core.tenancy import platform_scope, tenant_scope
from core.tenancy.celery import queue_of
from scaling import loop, signals
from scaling.api import (
    BackendAway,
    Mode,
    Reason,
    fleet_or_none,
    pause_policy,
    recent_changes,
    set_policy,
    settle_tenant,
    status_of,
    tick,
)
from scaling.backends.local import backend, store
from scaling.data import Span, Target, WorkerStatus
from scaling.models import ScalingDecision, ScalingTarget
from scaling.recording import prune_unchanged
from scaling.tasks import prune_decisions
from scaling.tasks import tick as tick_task
from tenants.api import (
    ProfileField,
    ResourceAllocator,
    ResourceAmounts,
    ResourceKind,
    add_pool,
    override_value,
    reserve_host,
    resume_tenant,
    run_due_jobs,
    suspend_tenant,
)
from tests.cast import TESTER, found_acme, found_globex
from tests.scaling.conftest import GIB, NOW, after, orders, report, worker
from tests.scaling.running import decisions_of


@pytest.fixture
def policy(acme, redis):
    return set_policy(
        tenant_id=acme.tenant.id,
        acting=TESTER,
        now=NOW,
        min_replicas=1,
        max_replicas=4,
        cpu_target_percent=60,
        scale_down_cooldown_seconds=60,
    )


def queue_up(tenant_id: str, tasks: int) -> None:
    control().rpush(key("celery", queue_of(tenant_id)), *["task"] * tasks)


def test_a_round_raises_to_the_minimum_stores_why_and_orders_it(policy, commits):
    with commits():
        assert tick(now=NOW).changed == 1
    (decision,) = decisions_of(policy.tenant_id)
    assert (decision.current, decision.final, decision.reason) == (0, 1, Reason.AT_MINIMUM)
    assert decision.sentence.startswith("Scaled acme from 0 to 1 replica: ")
    assert decision.changed
    assert store.read_targets(control())[policy.tenant_id].queue == queue_of(policy.tenant_id)
    assert orders() == {policy.tenant_id: 1}


def test_a_tenant_runs_no_more_workers_than_it_has_slots_of(policy, commits, globex):
    add_pool(region="local", name="a", kind=ResourceKind.WORKER_SLOTS, capacity=5, acting=TESTER, now=NOW)
    row = ResourceAllocator.allocate(
        tenant_id=policy.tenant_id,
        request_key="workers",
        amounts=ResourceAmounts(worker_slots=2),
        acting=TESTER,
        now=NOW,
    )
    ScalingTarget.objects.create(tenant_id=policy.tenant_id, replicas=3)
    ScalingTarget.objects.create(tenant_id=globex.tenant.id, replicas=2)
    set_policy(tenant_id=globex.tenant.id, acting=TESTER, now=NOW, max_replicas=2)
    with commits():
        tick(now=NOW)
    assert orders() == {policy.tenant_id: 2, globex.tenant.id: 2}
    assert decisions_of(policy.tenant_id)[0].reason == Reason.AT_ALLOCATION
    ResourceAllocator.release(tenant_id=policy.tenant_id, allocation_id=row.id, acting=TESTER, now=NOW)
    with commits():
        tick(now=after(15))
    assert orders() == {policy.tenant_id: 0, globex.tenant.id: 2}


def test_on_this_machine_nobody_runs_beside_a_tenant_that_has_it_for_itself(policy, commits, globex):
    owner, machine = globex.tenant.id, {"region": "local", "name": "this-machine"}
    common = {"tenant_id": owner, "acting": TESTER, "now": NOW}
    override_value(field=ProfileField.ISOLATION_LEVEL, value="DEDICATED", reason="x", **common)
    set_policy(**common, min_replicas=2, max_replicas=2)
    for name in ("this-machine", "rack-7"):
        add_pool(region="local", name=name, kind=ResourceKind.WORKER_SLOTS, capacity=9, acting=TESTER, now=NOW)
    reserve_host(region="local", name="rack-7", **common)
    amounts = ResourceAmounts(worker_slots=2)
    row = ResourceAllocator.allocate(request_key="workers", amounts=amounts, **common)
    for second, expected in ((0, {owner: 2}), (15, {owner: 0})):  # no machine has reported, and then this one has
        with commits():
            tick(now=after(second))
            report(after(second), {})
        assert orders() == {policy.tenant_id: 1} | expected
    ResourceAllocator.release(allocation_id=row.id, **common)
    reserve_host(region="local", name="rack-7", **(common | {"tenant_id": None}))
    reserve_host(**machine, **common)
    ResourceAllocator.allocate(request_key="here", amounts=amounts, **common)
    with commits():
        tick(now=after(30))
    assert orders() == {policy.tenant_id: 0, owner: 2}
    assert "has 0 worker slots" in decisions_of(policy.tenant_id)[0].sentence


def test_worker_slots_beyond_the_profile_run_workers(policy, commits):
    common = {"tenant_id": policy.tenant_id, "acting": TESTER, "now": NOW}
    override_value(field=ProfileField.WORKER_SLOTS, value=1, reason="x", **common)
    add_pool(region="local", name="a", kind=ResourceKind.WORKER_SLOTS, capacity=9, acting=TESTER, now=NOW)
    for name, slots in (("ceiling", 1), ("more", 2)):
        ResourceAllocator.allocate(request_key=name, amounts=ResourceAmounts(worker_slots=slots), **common)
    set_policy(**common, min_replicas=4)
    with commits():
        tick(now=NOW)
    assert orders() == {policy.tenant_id: 3}


def test_load_raises_and_equal_rounds_share_a_row(policy, commits):
    busy = [worker(cpu=83)]
    for second in (0, 15, 30, 45, 60):
        with commits():
            report(after(second), {policy.tenant_id: busy})
            tick(now=after(second))
    rows = decisions_of(policy.tenant_id)
    assert [(row.current, row.final, row.reason, row.count) for row in reversed(rows)] == [
        (0, 1, Reason.AT_MINIMUM, 1),
        (1, 1, Reason.COOLDOWN_UP, 1),
        (1, 2, Reason.SCALED_UP, 1),
        (2, 2, Reason.STEADY, 2),
    ]
    assert "CPU 83 % (target 60 %)" in rows[1].sentence
    assert (rows[0].first_at, rows[0].last_at) == (after(45), after(60))
    assert rows[0].sentence.startswith("Kept acme at 2 replicas")
    assert [row.final for row in rows if row.changed] == [2, 1]
    assert [row.id for row in recent_changes()] == [row.public_id for row in rows if row.changed]


def test_a_round_lowers_only_after_a_watched_window(policy, commits):
    ScalingTarget.objects.create(tenant_id=policy.tenant_id, replicas=3)
    idle = {policy.tenant_id: [worker(pid, cpu=1) for pid in (1, 2, 3)]}
    finals = []
    for second in range(0, 90, 15):
        with commits():
            report(after(second), idle)
            tick(now=after(second))
        finals.append(orders()[policy.tenant_id])
    assert finals == [3, 3, 3, 3, 1, 1]
    reasons = {row.reason for row in decisions_of(policy.tenant_id)}
    assert Reason.WINDOW_NOT_FULL in reasons


def test_a_lost_memory_begins_a_new_window(policy, commits, redis):
    ScalingTarget.objects.create(tenant_id=policy.tenant_id, replicas=3)
    signals.write_spans({policy.tenant_id: [Span(after(-600), after(-15), 1)]})
    redis.delete(signals._spans_key())
    with commits():
        report(NOW, {policy.tenant_id: [worker(pid, cpu=1) for pid in (1, 2, 3)]})
        tick(now=NOW)
    assert decisions_of(policy.tenant_id)[0].reason == Reason.WINDOW_NOT_FULL


def test_a_silent_agent_is_a_missing_signal(policy, commits):
    ScalingTarget.objects.create(tenant_id=policy.tenant_id, replicas=2)
    signals.write_spans({policy.tenant_id: [Span(after(-600), after(-15), 1)]})
    report(after(-50), {policy.tenant_id: [worker(1, cpu=1), worker(2, cpu=1)]})
    with commits():
        tick(now=NOW)
    assert decisions_of(policy.tenant_id)[0].reason == Reason.METRIC_MISSING


def test_waiting_and_running_tasks_both_count(policy, commits):
    ScalingTarget.objects.create(tenant_id=policy.tenant_id, replicas=1)
    queue_up(policy.tenant_id, 9)
    with commits():
        report(NOW, {policy.tenant_id: [worker(status=WorkerStatus.BUSY, cpu=5)]})
        tick(now=NOW)
    (decision,) = decisions_of(policy.tenant_id)
    assert (decision.final, decision.reason) == (2, Reason.SCALED_UP)
    assert "10 tasks waiting or running" in decision.sentence


def test_a_task_wakes_a_sleeping_tenant(policy, commits):
    set_policy(tenant_id=policy.tenant_id, acting=TESTER, now=NOW, min_replicas=0)
    with commits():
        tick(now=NOW)
    assert orders() == {policy.tenant_id: 0}
    queue_up(policy.tenant_id, 1)
    with commits():
        tick(now=after(15))
    assert orders() == {policy.tenant_id: 1}


def test_an_order_that_redis_lost_comes_back(policy, commits, redis):
    with commits():
        tick(now=NOW)
    redis.flushdb()
    with commits():
        tick(now=after(15))
    assert orders() == {policy.tenant_id: 1}


def test_a_full_machine_gives_to_the_one_with_fewest_first(policy, globex, commits):
    set_policy(tenant_id=globex.tenant.id, acting=TESTER, now=NOW, min_replicas=1)
    set_policy(tenant_id=policy.tenant_id, acting=TESTER, now=NOW, min_replicas=2)
    ScalingTarget.objects.create(tenant_id=policy.tenant_id, replicas=1)
    with commits():
        report(NOW, {policy.tenant_id: [worker(cpu=1, rss=1 * GIB)]}, available=int(1.6 * GIB))
        tick(now=NOW)
    assert orders() == {policy.tenant_id: 1, globex.tenant.id: 1}
    assert decisions_of(policy.tenant_id)[0].reason == Reason.MACHINE_CAPACITY
    assert "carries no more than 1 replica of this tenant" in decisions_of(policy.tenant_id)[0].sentence


def test_a_second_tick_a_moment_later_decides_nothing(policy, commits):
    with commits():
        assert tick(now=NOW).led
    assert not tick(now=after(9)).led
    assert tick(now=after(10)).led
    assert tick(now=after(-100)).led


def test_a_paused_policy_is_left_alone(policy, commits):
    pause_policy(tenant_id=policy.tenant_id, acting=TESTER, now=NOW)
    with commits():
        tick(now=NOW)
    assert orders() == {policy.tenant_id: 0}
    assert decisions_of(policy.tenant_id)[0].reason == Reason.PAUSED


def test_a_round_keeps_within_what_the_tenants_profile_allows_now(policy, commits):
    queue_up(policy.tenant_id, 100)
    for field, value in ((ProfileField.MAX_REPLICAS, 2), (ProfileField.MIN_REPLICAS, 2)):
        override_value(
            tenant_id=policy.tenant_id, field=field, value=value, reason="a small box", acting=TESTER, now=NOW
        )
    with commits():
        tick(now=NOW)
    assert orders() == {policy.tenant_id: 2}


def test_a_new_policy_version_begins_a_new_row(policy, commits):
    pause_policy(tenant_id=policy.tenant_id, acting=TESTER, now=NOW)
    for second, top in ((0, 4), (15, 4), (30, 5)):
        set_policy(tenant_id=policy.tenant_id, acting=TESTER, now=NOW, max_replicas=top)
        tick(now=after(second))
    assert [(row.policy_version, row.count) for row in decisions_of(policy.tenant_id)] == [(3, 1), (2, 2)]


def test_redis_away_stops_the_round_before_anything_is_stored(policy, monkeypatch):
    away = redis_library.Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0), socket_connect_timeout=0.2)
    for module in (loop, signals, backend):
        monkeypatch.setattr(module, "control", lambda: away)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: tick(now=NOW),
        lambda: settle_tenant(policy.tenant_id, now=NOW),
        signals.read_spans,
        lambda: signals.write_spans({policy.tenant_id: []}),
        lambda: backend.LocalBackend().publish({policy.tenant_id: Target("q", 1, 1)}),
    )
    for attempt in attempts:
        with pytest.raises(BackendAway):
            attempt()
    assert signals.queue_depths([policy.tenant_id]) == {}
    assert fleet_or_none() is None
    assert not ScalingDecision.objects.exists()


def test_a_queue_that_is_no_list_is_an_unknown_queue(policy, redis):
    redis.set(key("celery", queue_of(policy.tenant_id)), "not a list")
    assert signals.queue_depths([policy.tenant_id]) == {}


def test_a_stored_change_can_neither_be_altered_nor_deleted(policy, commits):
    with commits():
        tick(now=NOW)
    attempts: tuple[Callable[[], Any], ...] = (
        lambda: ScalingDecision.objects.update(final=9),
        lambda: ScalingDecision.objects.all()._raw_delete("default"),
    )
    for attempt in attempts:
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            attempt()


def test_an_unchanged_row_only_grows(policy, commits):
    pause_policy(tenant_id=policy.tenant_id, acting=TESTER, now=NOW)
    tick(now=NOW)
    with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
        ScalingDecision.objects.update(first_at=after(5))
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ScalingDecision.objects.update(changed=True)


def test_old_rounds_without_a_change_are_pruned_and_changes_stay(policy, commits):
    with commits():
        tick(now=NOW)
    pause_policy(tenant_id=policy.tenant_id, acting=TESTER, now=after(1))
    tick(now=after(15))
    set_policy(tenant_id=policy.tenant_id, acting=TESTER, now=after(16), mode=Mode.RECOMMEND_ONLY)
    tick(now=after(30))
    assert prune_unchanged(now=after(1000), keep=timedelta(seconds=2000)) == 0
    assert prune_unchanged(now=after(1000), keep=timedelta(seconds=500)) == 1
    assert [row.changed for row in decisions_of(policy.tenant_id)] == [False, True]


def test_a_status_tells_target_workers_and_the_last_word(policy, globex, commits):
    assert status_of(policy.tenant_id).last_sentence == ""
    report(NOW, {policy.tenant_id: [worker(7)]})
    with commits():
        tick(now=NOW)
    status = status_of(policy.tenant_id)
    assert (status.slug, status.desired, status.max_replicas, status.observed_at) == ("acme", 1, 4, NOW)
    assert [seen.pid for seen in status.workers.live] == [7]
    assert status.last_sentence.startswith("Scaled acme")


def test_a_tenant_sees_its_own_decisions_only(policy, globex, commits):
    set_policy(tenant_id=globex.tenant.id, acting=TESTER, now=NOW, min_replicas=1)
    with commits():
        tick(now=NOW)
    with tenant_scope(globex.tenant.ref):
        assert [row.tenant_id for row in ScalingDecision.objects.all()] == [globex.tenant.id]
        assert decisions_of(policy.tenant_id) == []


def test_many_tenants_cost_no_more_queries(policy, globex, commits, django_assert_max_num_queries):
    set_policy(tenant_id=globex.tenant.id, acting=TESTER, now=NOW, min_replicas=1)
    with django_assert_max_num_queries(13):
        tick(now=NOW)
    with django_assert_max_num_queries(13):
        tick(now=after(15))
    with django_assert_max_num_queries(2):
        assert status_of(policy.tenant_id).slug == "acme"


@pytest.fixture
def standing(committed, redis):
    """acme and its policy, committed, with workers ordered."""
    player = found_acme()
    set_policy(tenant_id=player.tenant.id, acting=TESTER, now=utc_now(), min_replicas=2, max_replicas=4)
    settle_tenant(player.tenant.id, now=utc_now())
    return player.tenant


def test_a_new_tenant_has_a_policy_that_costs_nothing(committed, redis):
    player = found_globex()
    run_due_jobs(now=utc_now())
    assert status_of(player.tenant.id).desired == 0
    assert orders() == {player.tenant.id: 0}


def test_suspending_takes_the_workers_down_at_once_and_resuming_brings_them_back(standing):
    assert orders() == {standing.id: 2}
    suspend_tenant(tenant_id=standing.id, reason="unpaid", acting=TESTER, now=utc_now())
    assert orders() == {standing.id: 0}
    assert store.read_targets(control())[standing.id].drain_seconds == 3
    decision = decisions_of(standing.id)[0]
    assert (decision.reason, decision.final) == (Reason.TENANT_INACTIVE, 0)
    rounds = len(decisions_of(standing.id))
    assert tick(now=utc_now()).led
    assert len(decisions_of(standing.id)) == rounds
    resume_tenant(tenant_id=standing.id, acting=TESTER, now=utc_now())
    assert orders() == {standing.id: 2}
    waiting = OutboxEvent.objects.filter(delivered_at=None).values_list("type_name", flat=True)
    assert set(waiting) <= {"tenants.allocation-changed"}


def test_two_concurrent_ticks_decide_once(standing):
    barrier, results, later = threading.Barrier(6), [], utc_now() + timedelta(seconds=15)

    def run() -> None:
        with platform_scope():
            barrier.wait()
            results.append(tick(now=later))
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result.led for result in results) == [False] * 5 + [True]
    rows = ScalingDecision.objects.filter(tenant_id=standing.id, last_at=later)
    assert [row.count for row in rows] == [1]


def test_the_tasks_run_as_the_platform(policy, no_scope):
    assert tick_task() == {"led": True, "decided": 1, "changed": 1}
    assert prune_decisions() == 0
