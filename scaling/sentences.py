"""The words of a decision, for the operator who reads its history: pure, and no rule is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import ceil

from scaling.data import Health, Metric, Note, Proposal

METRIC_NAMES = {Metric.CPU: "CPU", Metric.MEMORY: "memory", Metric.QUEUE: "queue"}


def decision(
    label: str,
    course: tuple[int, int, int],
    *,
    proposals: tuple[Proposal, ...],
    notes: tuple[Note, ...],
    last_death: str = "",
) -> str:
    """Return one sentence: what was done, what was measured, and each step that bent the outcome.

    `course` is the number there was, the number the load would like, and the number there is to be.
    """
    current, wanted, final = course
    because = [", ".join(measured(proposal) for proposal in proposals), *(note.text for note in notes)]
    because += [f"a worker died lately: {last_death}"] if last_death else []
    return f"{_deed(label, current, wanted, final)}: {'; '.join(part for part in because if part)}."


def _deed(label: str, current: int, wanted: int, final: int) -> str:
    if final != current:
        return f"Scaled {label} from {current} to {replicas(final)}"
    if wanted != current:
        return f"Held {label} at {replicas(current)} although {wanted} would fit the load"
    return f"Kept {label} at {replicas(current)}"


def measured(proposal: Proposal) -> str:
    """Return what one metric showed, with its target."""
    name = METRIC_NAMES[proposal.metric]
    if proposal.health is Health.IDLE:
        return f"no replica to measure {name} on"
    if proposal.health is Health.WARMING:
        return f"{name} not measured yet (replicas are starting)"
    if proposal.value is None:
        return f"{name} unknown"
    if proposal.metric is Metric.QUEUE:
        tasks = "task" if proposal.value == 1 else "tasks"
        return f"{proposal.value} {tasks} waiting or running (target {proposal.target} per replica)"
    return f"{name} {proposal.value} % (target {proposal.target} %)"


def replicas(count: int) -> str:
    return f"{count} replica" if count == 1 else f"{count} replicas"


def span(length: timedelta) -> str:
    return f"{ceil(length.total_seconds())} s"


def metric_missing(missing: Iterable[Metric]) -> str:
    names = " and ".join(METRIC_NAMES[metric] for metric in missing)
    return f"nothing is taken away while there is no {names} signal"


def window_not_full(window: timedelta) -> str:
    return f"nothing is taken away before the load was watched for {span(window)} without a break"


def stabilised(highest: int, window: timedelta) -> str:
    return f"the load of the last {span(window)} called for {replicas(highest)}"


def step_up(step: int) -> str:
    return f"one round adds at most {replicas(step)}"


def step_to_zero() -> str:
    return "the last replica goes in a round of its own"


def at_minimum(low: int) -> str:
    return f"the policy's minimum is {low}"


def at_maximum(high: int) -> str:
    return f"the policy's maximum is {high}"


def at_allocation(slots: int) -> str:
    return f"the tenant's allocation has {slots} worker {'slot' if slots == 1 else 'slots'} here"


def at_ceiling(fitting: int) -> str:
    return f"what the tenant may take in all is enough for {replicas(fitting)}"


def machine_capacity(room: int) -> str:
    return f"the machine's memory carries no more than {replicas(room)} of this tenant"


def cooldown(direction: str, wait: timedelta) -> str:
    return f"the next scale-{direction} may happen in {span(wait)}"


def paused() -> str:
    return "the policy is paused"


def recommend_only() -> str:
    return "the policy only recommends"


def tenant_inactive() -> str:
    return "the tenant is not active"
