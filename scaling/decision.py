"""How many replicas a tenant gets: the whole rule, pure. It refuses a clock, the ORM and any input or output.

The order follows Kubernetes' HorizontalPodAutoscaler v2 (concepts/workloads/autoscaling, algorithm details):

    signal health -> proposal per metric -> highest -> missing-metric veto -> stabilise -> step limit
    -> minimum, maximum, allocation, machine -> cooldown -> mode

and departs from it where HPA's own users were hurt. A round in which any replica gave no sample never lowers
(HPA fills the gap with 100 % and may). A loop that has not watched a whole window never lowers. Memory may
raise or hold but not lower: a process has a footprint that no smaller load takes away. Only an empty queue
puts a tenant to sleep. And a metric moves the number only where its ratio points, so the outcome is monotone
in each. Integers only: a percentage is truncated before it is divided, as HPA does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from scaling import sentences
from scaling.data import (
    Decision,
    Health,
    History,
    Metric,
    Mode,
    Note,
    Observed,
    PolicyTerms,
    Proposal,
    Reason,
    Span,
)

TOLERANCE_PERCENT = 10
"""A ratio this close to 1 changes nothing."""
SIGNAL_MAX_AGE = timedelta(seconds=45)
"""Three rounds of 15 s: older observations count as missing, and a longer silence breaks the window."""
STEP_UP_FLOOR = 4
"""One round may double the replicas, or add up to this many when there are few."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """The number on its way through the steps, with a note from each step that bent it."""

    replicas: int
    notes: tuple[Note, ...] = ()

    def bend(self, replicas: int, reason: Reason, text: str) -> _Draft:
        if replicas == self.replicas:
            return self
        return _Draft(replicas, (*self.notes, Note(reason, text)))


def decide(policy: PolicyTerms, observed: Observed, history: History, now: datetime) -> Decision:
    """Return where `observed.current` should go now, why, and a sentence that tells an operator."""
    if not observed.tenant_active:
        return _inactive(policy, observed)
    proposals = propose(policy, observed, now)
    combined = _combine(proposals, observed.current)
    steady = _stabilise(combined, policy, observed.current, history, now)
    bounded = _bound(_limit_step(steady, observed.current), policy, observed)
    cooled = _cool(bounded, policy, observed, history, now)
    final = _obey_mode(cooled, policy.mode, observed.current)
    return _conclude(
        policy, observed, proposals, recommendation=combined.replicas, wanted=bounded.replicas, final=final
    )


def propose(policy: PolicyTerms, observed: Observed, now: datetime) -> tuple[Proposal, ...]:
    """Return one proposal per metric of the policy."""
    fresh = observed.observed_at is not None and now - observed.observed_at <= SIGNAL_MAX_AGE
    cpu = [sample.cpu_percent if sample.ready else None for sample in observed.replicas] if fresh else []
    memory = [sample.memory_percent for sample in observed.replicas] if fresh else []
    young = sum(not sample.ready for sample in observed.replicas) if fresh else 0
    proposals = [
        _by_ratio(Metric.CPU, cpu, policy.cpu_target_percent, observed.current, young=young),
        _by_ratio(Metric.MEMORY, memory, policy.memory_target_percent, observed.current, young=young),
    ]
    if policy.queue_target is not None:
        proposals.append(_by_queue(observed.queue_depth, policy.queue_target, observed.current))
    return tuple(proposals)


def remember(history: History, replicas: int, now: datetime, window: timedelta) -> History:
    """Return the history with this round's recommendation added and all that left the window dropped."""
    spans = [span for span in history.spans if now - span.last_at <= window + SIGNAL_MAX_AGE]
    last = spans[-1] if spans else None
    if last and last.replicas == replicas and now - last.last_at <= SIGNAL_MAX_AGE:
        spans[-1] = replace(last, last_at=now)
    else:
        spans.append(Span(now, now, replicas))
    return replace(history, spans=tuple(spans))


def window_is_full(history: History, now: datetime, window: timedelta) -> bool:
    """Tell whether the loop has watched without a break for the whole window that ends now."""
    covered_from = now
    for span in reversed(history.spans):
        if covered_from - span.last_at > SIGNAL_MAX_AGE:
            break
        covered_from = min(covered_from, span.first_at)
    return now - covered_from >= window


def _by_ratio(metric: Metric, values: list[int | None], target: int, current: int, *, young: int) -> Proposal:
    """Propose by average use against the target; `young` replicas may lack a value without being missing."""
    known = [value for value in values if value is not None]
    if current == 0:
        return Proposal(metric, Health.IDLE, None, target, 0)
    if not known:
        health = Health.WARMING if values and young >= len(values) else Health.MISSING
        return Proposal(metric, health, None, target, current if health is Health.WARMING else None)
    unmeasured = max(current, len(values)) - len(known)
    health = Health.PARTIAL if unmeasured > young else Health.OK
    use = sum(known) // len(known)
    return Proposal(metric, health, use, target, _from_use(metric, known, target, current, unmeasured=unmeasured))


def _from_use(metric: Metric, known: list[int], target: int, current: int, *, unmeasured: int) -> int | None:
    """Turn samples into replicas. The unmeasured count as idle on the way up and veto the way down."""
    use = sum(known) // len(known)
    if _above(use, target):
        size = len(known) + unmeasured
        damped = sum(known) // size
        return max(current, _ceil_div(damped * size, target)) if _above(damped, target) else current
    if unmeasured or not _below(use, target):
        return current
    return None if metric is Metric.MEMORY else min(current, _ceil_div(use * len(known), target))


def _by_queue(depth: int | None, target: int, current: int) -> Proposal:
    """Propose so that each replica has at most `target` tasks waiting or running."""
    if depth is None:
        return Proposal(Metric.QUEUE, Health.MISSING, None, target, None)
    room = target * current
    moves = _above(depth, room) or _below(depth, room)
    return Proposal(Metric.QUEUE, Health.OK, depth, target, _ceil_div(depth, target) if moves else current)


def _combine(proposals: tuple[Proposal, ...], current: int) -> _Draft:
    """Take the highest proposal; while any metric is missing, never go below what there is."""
    wanted = max((proposal.replicas for proposal in proposals if proposal.replicas is not None), default=current)
    if wanted == 1 and any(proposal.metric is Metric.QUEUE and proposal.replicas == 0 for proposal in proposals):
        wanted = 0
    missing = [proposal.metric for proposal in proposals if proposal.health is Health.MISSING]
    if not missing:
        return _Draft(wanted)
    note = Note(Reason.METRIC_MISSING, sentences.metric_missing(missing))
    return _Draft(wanted) if wanted > current else _Draft(current, (note,))


def _stabilise(draft: _Draft, policy: PolicyTerms, current: int, history: History, now: datetime) -> _Draft:
    """On the way down obey the highest recommendation of the window, and only once the window is full."""
    if draft.replicas >= current:
        return draft
    window = timedelta(seconds=policy.scale_down_cooldown_seconds)
    if not window_is_full(history, now, window):
        return draft.bend(current, Reason.WINDOW_NOT_FULL, sentences.window_not_full(window))
    recent = [span.replicas for span in history.spans if now - span.last_at <= window]
    highest = max([draft.replicas, *recent])
    return draft.bend(min(current, highest), Reason.STABILISED, sentences.stabilised(highest, window))


def _limit_step(draft: _Draft, current: int) -> _Draft:
    """Bound one round's step: up to double (or a few), and down to zero only from one."""
    ceiling = max(2 * current, STEP_UP_FLOOR)
    if draft.replicas > ceiling:
        return draft.bend(ceiling, Reason.STEP_LIMIT, sentences.step_up(ceiling - current))
    if draft.replicas == 0 and current > 1:
        return draft.bend(1, Reason.STEP_LIMIT, sentences.step_to_zero())
    return draft


def _bound(draft: _Draft, policy: PolicyTerms, observed: Observed) -> _Draft:
    """Keep policy, allocation and ceiling; a full machine stops growth but takes nothing away."""
    low, high = policy.min_replicas, policy.max_replicas
    draft = draft.bend(max(draft.replicas, low), Reason.AT_MINIMUM, sentences.at_minimum(low))
    draft = draft.bend(min(draft.replicas, high), Reason.AT_MAXIMUM, sentences.at_maximum(high))
    slots, fitting = _or(observed.allotted, high), _or(observed.fitting, high)
    draft = draft.bend(min(draft.replicas, slots), Reason.AT_ALLOCATION, sentences.at_allocation(slots))
    draft = draft.bend(min(draft.replicas, fitting), Reason.AT_ALLOCATION, sentences.at_ceiling(fitting))
    room = _room(observed, high)
    return draft.bend(min(draft.replicas, room), Reason.MACHINE_CAPACITY, sentences.machine_capacity(room))


def _room(observed: Observed, high: int) -> int:
    """Return how many replicas the machine can carry, never fewer than it carries already."""
    return high if observed.capacity is None else max(observed.current, observed.capacity)


def _slots(observed: Observed, high: int) -> int:
    """Return how many workers the tenant may run at all, whatever runs now."""
    return min(_or(observed.allotted, high), _or(observed.fitting, high))


def _or(bound: int | None, otherwise: int) -> int:
    return otherwise if bound is None else bound


def _cool(draft: _Draft, policy: PolicyTerms, observed: Observed, history: History, now: datetime) -> _Draft:
    """Delay a change that follows the last one too closely. Waking from zero never waits.

    Up waits for the last up only. Down waits for the last change of either direction. A policy or an allocation
    whose bounds exclude the present number is obeyed at once.
    """
    current = observed.current
    high = min(policy.max_replicas, _slots(observed, policy.max_replicas))
    held = min(max(current, policy.min_replicas), high, _room(observed, policy.max_replicas))
    if draft.replicas > current > 0:
        wait = _remaining(history.scaled_up_at, policy.scale_up_cooldown_seconds, now)
        text = sentences.cooldown("up", wait)
        return draft.bend(held, Reason.COOLDOWN_UP, text) if wait else draft
    if draft.replicas < current:
        changes = [at for at in (history.scaled_up_at, history.scaled_down_at) if at is not None]
        wait = _remaining(max(changes, default=None), policy.scale_down_cooldown_seconds, now)
        text = sentences.cooldown("down", wait)
        return draft.bend(held, Reason.COOLDOWN_DOWN, text) if wait else draft
    return draft


def _obey_mode(draft: _Draft, mode: Mode, current: int) -> _Draft:
    if mode is Mode.PAUSED:
        return _Draft(current, (*draft.notes, Note(Reason.PAUSED, sentences.paused())))
    if mode is Mode.RECOMMEND_ONLY:
        return draft.bend(current, Reason.RECOMMEND_ONLY, sentences.recommend_only())
    return draft


def _conclude(
    policy: PolicyTerms,
    observed: Observed,
    proposals: tuple[Proposal, ...],
    *,
    recommendation: int,
    wanted: int,
    final: _Draft,
) -> Decision:
    current = observed.current
    reason = final.notes[-1].reason if final.notes else _direction(current, final.replicas)
    sentence = sentences.decision(
        policy.label,
        (current, wanted, final.replicas),
        proposals=proposals,
        notes=final.notes,
        last_death=observed.last_death,
    )
    return Decision(current, proposals, recommendation, wanted, final.replicas, reason, final.notes, sentence)


def _inactive(policy: PolicyTerms, observed: Observed) -> Decision:
    note = Note(Reason.TENANT_INACTIVE, sentences.tenant_inactive())
    return _conclude(policy, observed, (), recommendation=0, wanted=0, final=_Draft(0, (note,)))


def _direction(current: int, final: int) -> Reason:
    if final == current:
        return Reason.STEADY
    return Reason.SCALED_UP if final > current else Reason.SCALED_DOWN


def _remaining(since: datetime | None, seconds: int, now: datetime) -> timedelta:
    """Return how long a cooldown that began at `since` still lasts; zero when it is over or never began."""
    if since is None:
        return timedelta()
    return max(timedelta(), since + timedelta(seconds=seconds) - now)


def _above(value: int, target: int) -> bool:
    return value * 100 > target * (100 + TOLERANCE_PERCENT)


def _below(value: int, target: int) -> bool:
    return value * 100 < target * (100 - TOLERANCE_PERCENT)


def _ceil_div(value: int, by: int) -> int:
    return -(-value // by)
