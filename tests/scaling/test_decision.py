"""The scaling rule, case by case and by property."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.data import (
    Decision,
    Health,
    History,
    Metric,
    Mode,
    Observed,
    PolicyTerms,
    Reason,
    ReplicaSample,
    Span,
)
from scaling.decision import SIGNAL_MAX_AGE, decide, propose, remember, window_is_full

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = PolicyTerms(
    label="acme",
    min_replicas=1,
    max_replicas=6,
    cpu_target_percent=60,
    memory_target_percent=80,
    queue_target=5,
    scale_up_cooldown_seconds=30,
    scale_down_cooldown_seconds=300,
)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def watched(seconds: float, replicas: int = 1, **changes: Any) -> History:
    return History(spans=(Span(ago(seconds), ago(15), replicas),), **changes)


def seen(*cpu: int | None, current: int | None = None, memory: int | None = 40, **changes: Any) -> Observed:
    samples = tuple(ReplicaSample(True, value, memory) for value in cpu)
    fields: dict[str, Any] = {"queue_depth": 0, "observed_at": NOW, "capacity": 50} | changes
    return Observed(current=len(cpu) if current is None else current, replicas=samples, **fields)


def decided(observed: Observed, history: History | None = None, **terms) -> Decision:
    return decide(replace(POLICY, **terms), observed, history or watched(600), NOW)


def changed(last: str, seconds: float) -> History:
    times: dict[str, Any] = {last: ago(seconds)}
    return replace(watched(600), **times)


def test_a_busy_replica_gets_company_and_the_sentence_says_why():
    outcome = decided(seen(83))
    assert (outcome.final, outcome.reason, outcome.changed) == (2, Reason.SCALED_UP, True)
    assert outcome.sentence == (
        "Scaled acme from 1 to 2 replicas: CPU 83 % (target 60 %), memory 40 % (target 80 %), "
        "0 tasks waiting or running (target 5 per replica)."
    )


def test_the_published_examples_of_the_formula_hold():
    assert propose(POLICY, seen(*[90] * 50), NOW)[0].replicas == 75
    assert propose(replace(POLICY, cpu_target_percent=75), seen(*[90] * 50), NOW)[0].replicas == 60
    assert propose(replace(POLICY, cpu_target_percent=100), seen(200), NOW)[0].replicas == 2
    assert propose(replace(POLICY, cpu_target_percent=100), seen(50, 50), NOW)[0].replicas == 1


@pytest.mark.parametrize(("cpu", "final"), [(54, 2), (66, 2), (67, 3), (53, 2)])
def test_a_ratio_near_one_changes_nothing(cpu, final):
    assert decided(seen(cpu, cpu)).final == final


def test_the_edge_of_what_is_near_one_changes_nothing_however_many_there_are():
    assert decided(seen(*[54] * 10), max_replicas=20).final == 10
    assert decided(seen(*[53] * 10), max_replicas=20).final == 9


def test_use_is_truncated_to_whole_percents_before_it_is_divided():
    assert propose(POLICY, seen(66, 67), NOW)[0].value == 66


def test_the_highest_metric_wins():
    outcome = decided(seen(10, memory=161))
    assert (outcome.final, outcome.reason) == (3, Reason.SCALED_UP)


def test_the_queue_alone_can_raise():
    assert decided(seen(5, queue_depth=14)).final == 3


def test_waking_from_zero_does_not_wait_for_a_cooldown():
    asleep = seen(current=0, queue_depth=1)
    outcome = decided(asleep, watched(600, 0, scaled_up_at=ago(1)), min_replicas=0)
    assert (outcome.final, outcome.reason) == (1, Reason.SCALED_UP)
    assert "no replica to measure CPU on" in outcome.sentence
    assert "1 task waiting" in outcome.sentence


def test_an_empty_queue_leaves_a_sleeping_tenant_asleep():
    outcome = decided(seen(current=0), watched(600, 0), min_replicas=0)
    assert (outcome.final, outcome.reason) == (0, Reason.STEADY)
    assert outcome.sentence.startswith("Kept acme at 0 replicas")


def test_a_sleeping_tenant_whose_queue_cannot_be_read_is_left_alone():
    outcome = decided(seen(current=0, queue_depth=None), min_replicas=0)
    assert (outcome.final, outcome.reason) == (0, Reason.METRIC_MISSING)


def test_going_to_zero_passes_through_one():
    outcome = decided(seen(0, 0, 0, memory=0), watched(600, 0), min_replicas=0)
    assert (outcome.final, outcome.reason) == (1, Reason.STEP_LIMIT)
    assert decided(seen(0, memory=0), watched(600, 0), min_replicas=0).final == 0


def test_a_missing_metric_forbids_lowering():
    outcome = decided(seen(5, 5, 5, queue_depth=None))
    assert (outcome.final, outcome.reason) == (3, Reason.METRIC_MISSING)
    assert "no queue signal" in outcome.sentence
    assert outcome.proposals[2].health is Health.MISSING


def test_a_missing_metric_does_not_forbid_raising():
    outcome = decided(seen(90, 90, queue_depth=None))
    assert (outcome.final, outcome.reason) == (3, Reason.SCALED_UP)


def test_one_replica_without_a_sample_forbids_lowering():
    outcome = decided(seen(5, 5, None), queue_target=None)
    assert outcome.proposals[0].health is Health.PARTIAL
    assert (outcome.final, outcome.reason) == (3, Reason.STEADY)


def test_replicas_without_a_sample_count_as_idle_on_the_way_up():
    assert decided(seen(90, None, None)).final == 3
    assert decided(seen(200, None)).final == 4


def test_stale_observations_count_as_missing():
    stale = seen(5, 5, observed_at=ago(46))
    outcome = decided(stale)
    assert (outcome.final, outcome.reason) == (2, Reason.METRIC_MISSING)
    assert "CPU unknown, memory unknown" in outcome.sentence
    assert decided(replace(stale, observed_at=None)).final == 2
    assert decided(replace(stale, observed_at=ago(45)), watched(600, 1)).final == 1


def test_silence_from_everywhere_holds():
    outcome = decided(seen(current=3, observed_at=None, queue_depth=None))
    assert (outcome.final, outcome.reason) == (3, Reason.METRIC_MISSING)


def test_starting_replicas_are_not_missing_but_not_measured_either():
    starting = replace(seen(), current=2, replicas=(ReplicaSample(False, None, None),) * 2)
    outcome = decided(starting, queue_target=None)
    assert {proposal.health for proposal in outcome.proposals} == {Health.WARMING}
    assert (outcome.final, outcome.reason) == (2, Reason.STEADY)
    assert "not measured yet" in outcome.sentence


def test_idle_memory_never_keeps_a_replica():
    content = decided(seen(5, 5, memory=60))
    assert (content.final, content.proposals[1].replicas) == (1, None)
    assert decided(seen(5, 5, memory=75)).final == 2


def test_only_an_empty_queue_puts_a_tenant_to_sleep():
    history = watched(600, 0)
    assert decided(seen(3, queue_depth=0), history, min_replicas=0).final == 0
    assert decided(seen(3, queue_depth=1), history, min_replicas=0).final == 1
    assert decided(seen(95, queue_depth=0), history, min_replicas=0).final == 2


def test_the_cpu_of_a_starting_replica_is_not_counted():
    warm, young = ReplicaSample(True, 60, 40), ReplicaSample(False, 100, 40)
    observed = replace(seen(), current=2, replicas=(warm, young))
    assert propose(POLICY, observed, NOW)[0].value == 60


def test_lowering_obeys_the_highest_recommendation_of_the_window():
    history = History(spans=(Span(ago(600), ago(200), 3), Span(ago(170), ago(15), 1)))
    outcome = decided(seen(5, 5, 5, 5), history)
    assert (outcome.final, outcome.reason) == (3, Reason.STABILISED)
    assert "the load of the last 300 s called for 3 replicas" in outcome.sentence


@pytest.mark.parametrize(("seconds", "final"), [(300, 3), (301, 1)])
def test_a_recommendation_counts_until_the_window_has_passed_it(seconds: int, final: int):
    history = History(spans=(Span(ago(600), ago(seconds), 3), Span(ago(280), ago(15), 1)))
    assert decided(seen(5, 5, 5, 5), history).final == final


def test_lowering_needs_a_window_watched_to_its_end():
    for history in (History(), watched(299), History(spans=(Span(ago(900), ago(400), 1),))):
        outcome = decided(seen(5, 5, 5), history)
        assert (outcome.final, outcome.reason) == (3, Reason.WINDOW_NOT_FULL)
    assert "before the load was watched for 300 s" in outcome.sentence
    assert decided(seen(5, 5, 5), watched(300)).final == 1


def test_a_break_in_the_watch_starts_the_window_anew():
    torn = History(spans=(Span(ago(600), ago(200), 1), Span(ago(154), ago(15), 1)))
    assert not window_is_full(torn, NOW, timedelta(seconds=300))
    whole = History(spans=(Span(ago(600), ago(200), 1), Span(ago(155), ago(15), 1)))
    assert window_is_full(whole, NOW, timedelta(seconds=300))


def test_the_first_rounds_after_a_restart_may_raise():
    assert decided(seen(120), History()).final == 2


def test_a_zero_cooldown_needs_no_window():
    assert decided(seen(5, 5), History(), scale_down_cooldown_seconds=0).final == 1


def test_memory_of_the_history_merges_equal_rounds_and_forgets_the_old():
    window = timedelta(seconds=300)
    history = remember(History(), 2, ago(400), window)
    history = remember(history, 2, ago(385), window)
    assert history.spans == (Span(ago(400), ago(385), 2),)
    history = remember(history, 3, ago(30), window)
    assert history.spans == (Span(ago(30), ago(30), 3),)
    later = NOW + timedelta(hours=1)
    assert remember(history, 3, later, window).spans == (Span(later, later, 3),)


@pytest.mark.parametrize(("seconds", "spans"), [(45, 1), (46, 2)])
def test_an_equal_round_after_a_silence_begins_a_new_span(seconds: int, spans: int):
    history = remember(History(), 2, ago(seconds), timedelta(seconds=300))
    assert len(remember(history, 2, NOW, timedelta(seconds=300)).spans) == spans


@pytest.mark.parametrize(("seconds", "spans"), [(345, 2), (346, 1)])
def test_a_span_is_kept_as_long_as_it_may_join_the_window(seconds: int, spans: int):
    history = remember(History(), 2, ago(seconds), timedelta(seconds=300))
    assert len(remember(history, 2, NOW, timedelta(seconds=300)).spans) == spans


def test_one_round_at_most_doubles_or_reaches_four():
    assert decided(seen(600), max_replicas=50).final == 4
    outcome = decided(seen(*[600] * 10), max_replicas=500)
    assert (outcome.final, outcome.reason) == (20, Reason.STEP_LIMIT)
    assert "one round adds at most 10 replicas" in outcome.sentence


def test_the_maximum_is_reported_when_it_bends_the_outcome():
    outcome = decided(seen(200, 200), max_replicas=3)
    assert (outcome.final, outcome.reason) == (3, Reason.AT_MAXIMUM)
    assert "the policy's maximum is 3" in outcome.sentence


def test_the_minimum_is_reached_at_once():
    outcome = decided(seen(current=0), History(scaled_up_at=ago(1)), min_replicas=2)
    assert (outcome.final, outcome.reason) == (2, Reason.AT_MINIMUM)


def test_a_lowered_maximum_is_obeyed_at_once():
    outcome = decided(seen(60, 60, 60), watched(10, 3, scaled_up_at=ago(1)), max_replicas=2)
    assert (outcome.final, outcome.reason) == (2, Reason.AT_MAXIMUM)


def test_a_full_machine_stops_growth_and_says_so():
    outcome = decided(seen(200, 200), replace(watched(600)), max_replicas=20)
    assert outcome.final == 4
    outcome = decide(POLICY, seen(200, 200, capacity=3), watched(600), NOW)
    assert (outcome.final, outcome.reason) == (3, Reason.MACHINE_CAPACITY)
    assert "the machine's memory carries no more than 3 replicas of this tenant" in outcome.sentence


def test_a_full_machine_takes_nothing_away():
    assert decided(seen(60, 60, 60, capacity=0)).final == 3


def test_an_unknown_capacity_does_not_cap():
    assert decided(seen(130, capacity=None)).final == 3


def test_the_allocation_is_the_most_and_says_so():
    outcome = decided(seen(200, 200, allotted=3))
    assert (outcome.final, outcome.reason) == (3, Reason.AT_ALLOCATION)
    assert "the tenant's allocation has 3 worker slots" in outcome.sentence
    assert "allocation has 1 worker slot here;" in decided(seen(200, allotted=1), mode=Mode.PAUSED).sentence


def test_workers_beyond_the_allocation_go_at_once_also_below_the_policys_minimum():
    outcome = decided(seen(60, 60, 60, allotted=0), watched(0, scaled_down_at=ago(1)), min_replicas=2)
    assert (outcome.final, outcome.reason) == (0, Reason.AT_ALLOCATION)


def test_what_is_not_rationed_does_not_cap():
    assert decided(seen(130, allotted=None)).final == 3


def test_no_more_run_than_the_tenants_ceiling_is_enough_for_and_the_sentence_says_so():
    outcome = decided(seen(200, 200, fitting=3))
    assert (outcome.final, outcome.reason) == (3, Reason.AT_ALLOCATION)
    assert "what the tenant may take in all is enough for 3 replicas" in outcome.sentence
    assert decided(seen(60, 60, 60, fitting=1)).final == 1


def test_a_second_step_up_waits_for_its_cooldown():
    outcome = decided(seen(120), watched(600, scaled_up_at=ago(10)))
    assert (outcome.final, outcome.wanted, outcome.reason) == (1, 2, Reason.COOLDOWN_UP)
    assert outcome.sentence.startswith("Held acme at 1 replica although 2 would fit the load")
    assert outcome.sentence.endswith("the next scale-up may happen in 20 s.")
    assert decided(seen(120), watched(600, scaled_up_at=ago(30))).final == 2


def test_a_step_up_does_not_wait_for_the_last_step_down():
    assert decided(seen(120), watched(600, scaled_down_at=ago(1))).final == 2


@pytest.mark.parametrize("last", ["scaled_up_at", "scaled_down_at"])
def test_a_step_down_waits_for_the_last_step_of_either_direction(last: str):
    outcome = decided(seen(5, 5), changed(last, 299))
    assert (outcome.final, outcome.reason) == (2, Reason.COOLDOWN_DOWN)
    assert decided(seen(5, 5), changed(last, 300)).final == 1


def test_a_paused_policy_moves_nothing():
    outcome = decided(seen(200, 200), mode=Mode.PAUSED)
    assert (outcome.final, outcome.reason) == (2, Reason.PAUSED)
    assert outcome.sentence.endswith("the policy is paused.")


def test_a_recommending_policy_tells_and_does_not_act():
    outcome = decided(seen(120), mode=Mode.RECOMMEND_ONLY)
    assert (outcome.final, outcome.wanted, outcome.reason) == (1, 2, Reason.RECOMMEND_ONLY)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_inactive_tenant_goes_to_zero_at_once_in_every_mode(mode):
    outcome = decided(seen(90, 90, tenant_active=False), History(scaled_up_at=ago(1)), mode=mode)
    assert (outcome.final, outcome.reason) == (0, Reason.TENANT_INACTIVE)
    assert outcome.sentence == "Scaled acme from 2 to 0 replicas: the tenant is not active."


percents = st.integers(0, 300)
maybe_percents = st.one_of(st.none(), percents)
samples = st.builds(ReplicaSample, st.booleans(), maybe_percents, maybe_percents)
moments = st.integers(0, 900).map(ago)


@st.composite
def policies(draw, /, **fixed):
    low = draw(st.integers(0, 6))
    fields = {
        "min_replicas": low,
        "max_replicas": draw(st.integers(max(low, 1), 12)),
        "cpu_target_percent": draw(st.integers(1, 100)),
        "memory_target_percent": draw(st.integers(1, 100)),
        "queue_target": draw(st.one_of(st.none(), st.integers(1, 20))),
        "scale_up_cooldown_seconds": draw(st.integers(0, 600)),
        "scale_down_cooldown_seconds": draw(st.integers(0, 600)),
    }
    return replace(POLICY, **(fields | fixed))


@st.composite
def observations(draw):
    return Observed(
        current=draw(st.integers(0, 12)),
        replicas=tuple(draw(st.lists(samples, max_size=6))),
        queue_depth=draw(st.one_of(st.none(), st.integers(0, 200))),
        observed_at=draw(st.one_of(st.none(), st.integers(0, 120).map(ago))),
        capacity=draw(st.one_of(st.none(), st.integers(0, 12))),
        allotted=draw(st.one_of(st.none(), st.integers(0, 12))),
        fitting=draw(st.one_of(st.none(), st.integers(0, 12))),
    )


@st.composite
def histories(draw):
    times = sorted(draw(st.lists(st.integers(0, 900), max_size=8)), reverse=True)
    pairs = zip(times[::2], times[1::2], strict=False)
    return History(
        spans=tuple(Span(ago(a), ago(b), draw(st.integers(0, 12))) for a, b in pairs),
        scaled_up_at=draw(st.one_of(st.none(), moments)),
        scaled_down_at=draw(st.one_of(st.none(), moments)),
    )


def most(policy, observed):
    """The number above which policy, allocation or ceiling take away at once."""
    bounds = (policy.max_replicas, observed.allotted, observed.fitting)
    return min(bound for bound in bounds if bound is not None)


@given(policies(), observations(), histories())
def test_the_outcome_stays_within_the_bounds(policy, observed, history):
    final = decide(policy, observed, history, NOW).final
    assert final <= policy.max_replicas
    room = policy.max_replicas if observed.capacity is None else max(observed.current, observed.capacity)
    assert final <= room
    slots = most(policy, observed)
    assert final <= slots
    assert final >= min(policy.min_replicas, room, slots)


@given(policies(), observations(), histories())
def test_a_missing_signal_never_lowers(policy, observed, history):
    outcome = decide(policy, observed, history, NOW)
    missing = any(proposal.health is Health.MISSING for proposal in outcome.proposals)
    if missing and observed.current <= most(policy, observed):
        assert outcome.final >= observed.current


@given(policies(), observations(), histories())
def test_nothing_is_lowered_before_a_full_window(policy, observed, history):
    window = timedelta(seconds=policy.scale_down_cooldown_seconds)
    outcome = decide(policy, observed, history, NOW)
    if not window_is_full(history, NOW, window) and observed.current <= most(policy, observed):
        assert outcome.final >= observed.current


@given(policies(), observations(), histories())
def test_both_cooldowns_are_respected(policy, observed, history):
    final = decide(policy, observed, history, NOW).final
    inside = policy.min_replicas <= observed.current <= most(policy, observed)
    up, down = history.scaled_up_at, history.scaled_down_at
    up_open = up is None or NOW - up >= timedelta(seconds=policy.scale_up_cooldown_seconds)
    down_open = all(
        at is None or NOW - at >= timedelta(seconds=policy.scale_down_cooldown_seconds) for at in (up, down)
    )
    if inside and observed.current > 0 and not up_open:
        assert final <= observed.current
    if inside and not down_open:
        assert final >= observed.current


@given(policies(), observations(), histories(), st.integers(1, 300), st.data())
def test_more_load_never_gives_fewer_replicas(policy, observed, history, more, data):
    changes = []
    if observed.queue_depth is not None:
        changes.append(replace(observed, queue_depth=observed.queue_depth + more))
    for position, sample in enumerate(observed.replicas):
        for name in ("cpu_percent", "memory_percent"):
            if (value := getattr(sample, name)) is not None:
                heavier = replace(sample, **{name: value + more})
                replicas = (*observed.replicas[:position], heavier, *observed.replicas[position + 1 :])
                changes.append(replace(observed, replicas=replicas))
    if changes:
        heavier = decide(policy, data.draw(st.sampled_from(changes)), history, NOW)
        assert heavier.final >= decide(policy, observed, history, NOW).final


@given(policies(mode=Mode.PAUSED), observations(), histories())
def test_a_paused_policy_never_moves(policy, observed, history):
    assert not decide(policy, observed, history, NOW).changed


@given(policies(), observations(), histories())
def test_every_outcome_has_a_reason_and_one_sentence(policy, observed, history):
    outcome = decide(policy, observed, history, NOW)
    assert outcome.sentence.endswith(".")
    assert outcome.sentence.count("\n") == 0
    assert (outcome.reason is Reason.STEADY) == (not outcome.changed and not outcome.notes)
    assert {proposal.metric for proposal in outcome.proposals} >= {Metric.CPU, Metric.MEMORY}


def test_the_longest_silence_is_three_rounds():
    assert timedelta(seconds=45) == SIGNAL_MAX_AGE
