"""One round of scaling: read signals, decide, store, order. Each arrow is one call; the rule is in `decision`.

One round at a time: an advisory lock of PostgreSQL that lasts as long as the transaction. The orders go out after
the commit; should that fail, the next round sends them again from the stored targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import redis
import structlog
from django.db import connection, transaction

from core.faults import fault_point
from core.redis import control, key
from core.tenancy.celery import queue_of
from scaling import signals
from scaling.backends import active_backend
from scaling.capacity import free_slots
from scaling.conf import worker_settings
from scaling.data import Decision, Fleet, History, Mode, Observed, PolicyTerms, Span, Target, TickResult, WorkerShare
from scaling.decision import SIGNAL_MAX_AGE, decide, remember
from scaling.errors import BackendAway
from scaling.models import ScalingPolicy, ScalingTarget
from scaling.recording import Round, store_rounds
from scaling.shares import share_of
from tenants.api import (
    IsolationLevel,
    ScalingLimits,
    TenantStatus,
    effective_profiles,
    granted_amounts,
    worker_slots,
    worker_slots_here,
)

log = structlog.get_logger(__name__)
_LOCK = 7_052_011  # advisory lock: one round at a time, whoever runs it
SHORTEST_GAP = timedelta(seconds=10)
"""Ticks that pile up behind a stopped worker are one tick."""


@dataclass(frozen=True, slots=True)
class _View:
    """What the whole round sees."""

    fleet: Fleet | None
    waiting: Mapping[str, int]
    spans: Mapping[str, tuple[Span, ...]]
    limits: Mapping[str, ScalingLimits]
    allotted: Mapping[str, int]
    shares: Mapping[str, WorkerShare]


def tick(*, now: datetime) -> TickResult:
    """Decide for every policy, unless another tick is at it or was a moment ago. Raises BackendAway."""
    with transaction.atomic():
        if not _lock("pg_try_advisory_xact_lock") or not _is_due(now):
            return TickResult(led=False)
        return _run_round(list(ScalingPolicy.objects.select_related("tenant")), now)


def settle_tenant(tenant_id: str, *, now: datetime) -> TickResult:
    """Decide for one tenant at once, after its status or its policy changed. Raises BackendAway."""
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        return _run_round(list(ScalingPolicy.objects.select_related("tenant").filter(tenant_id=tenant_id)), now)


def forget_tenant(tenant_id: str) -> None:
    """Take a deleted tenant out of all rounds to come: policy, target, order, memory. Raises BackendAway."""
    with transaction.atomic():
        _lock("pg_advisory_xact_lock")
        ScalingPolicy.objects.filter(tenant_id=tenant_id).delete()
        ScalingTarget.objects.filter(tenant_id=tenant_id).delete()
        transaction.on_commit(partial(active_backend().forget, tenant_id))  # behind the orders of rounds before
        transaction.on_commit(partial(signals.forget_tenant, tenant_id))


def _lock(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [_LOCK])
        (taken,) = cursor.fetchone()
        return bool(taken)


def _is_due(now: datetime) -> bool:
    """Whether the last tick is far enough behind; notes this one as the last if so."""
    name = key("scaling", "last-tick")
    try:
        last: Any = control().get(name)
        if last is not None and 0 <= now.timestamp() - float(last) < SHORTEST_GAP.total_seconds():
            return False
        control().set(name, now.timestamp())
    except redis.RedisError as error:
        raise BackendAway() from error
    return True


def _run_round(policies: Sequence[ScalingPolicy], now: datetime) -> TickResult:
    targets = _targets([policy.tenant_id for policy in policies])
    view = _look([policy.tenant_id for policy in policies], now)
    policies = sorted(policies, key=lambda policy: (targets[policy.tenant_id].replicas, policy.tenant_id))
    rounds = list(_decide_each(policies, targets, view, now))
    store_rounds(rounds, now=now)
    fault_point("scaling.tick.stored")
    transaction.on_commit(partial(_send_orders, policies, targets, view.shares))
    transaction.on_commit(partial(signals.write_spans, _remembered(rounds, view, now)))
    _log_changes(rounds)
    return TickResult(True, len(rounds), sum(made.decision.changed for made in rounds))


def _targets(tenant_ids: Sequence[str]) -> dict[str, ScalingTarget]:
    """Return each tenant's target, made on first sight."""
    ScalingTarget.objects.bulk_create(
        [ScalingTarget(tenant_id=tenant_id) for tenant_id in tenant_ids], ignore_conflicts=True
    )
    return ScalingTarget.objects.select_related("decision").in_bulk(tenant_ids)


def _look(tenant_ids: Sequence[str], now: datetime) -> _View:
    profiles, fleet = effective_profiles(tenant_ids, now=now), active_backend().fleet()
    allotted = worker_slots(tenant_ids) if fleet is None else worker_slots_here(tenant_ids)
    for tenant_id, profile in profiles.items():
        if profile.isolation is IsolationLevel.DEDICATED:
            allotted.setdefault(tenant_id, 0)  # where slots are not rationed no host is its own
    limits = {tenant_id: profile.scaling for tenant_id, profile in profiles.items()}
    granted = granted_amounts(profiles)
    shares = {key: share_of(granted[key], most=limits[key].max_replicas) for key in profiles}
    return _View(
        fleet=fleet,
        waiting=signals.queue_depths(tenant_ids),
        spans=signals.read_spans(),
        limits=limits,
        allotted=allotted,
        shares=shares,
    )


def _decide_each(
    policies: Iterable[ScalingPolicy], targets: Mapping[str, ScalingTarget], view: _View, now: datetime
) -> Iterable[Round]:
    """Decide in turn, those with the fewest replicas first; what one takes of the machine the next lacks."""
    slots = _slots(view.fleet, now)
    for policy in policies:
        target = targets[policy.tenant_id]
        if target.replicas == 0 and not _is_active(policy):
            continue
        decision = _decide(policy, target, view, slots, now)
        if slots is not None:
            slots = max(0, slots - max(0, decision.final - decision.current))
        yield Round(policy, target, decision)


def _slots(fleet: Fleet | None, now: datetime) -> int | None:
    """Return the workers that the machine can still take; None when it was not measured of late."""
    if fleet is None or now - fleet.observed_at > SIGNAL_MAX_AGE:
        return None
    return free_slots(fleet, dict(ScalingTarget.objects.values_list("tenant_id", "replicas")), worker_settings())


def _decide(policy: ScalingPolicy, target: ScalingTarget, view: _View, slots: int | None, now: datetime) -> Decision:
    seen: Observed = signals.observed(
        policy.tenant_id,
        target.replicas,
        fleet=view.fleet,
        waiting=view.waiting.get(policy.tenant_id),
        slots=slots,
        allotted=view.allotted.get(policy.tenant_id),
        fitting=view.shares[policy.tenant_id].workers,
        active=_is_active(policy),
        settings=worker_settings(),
    )
    history = History(view.spans.get(policy.tenant_id, ()), target.scaled_up_at, target.scaled_down_at)
    return decide(terms_of(policy, view.limits[policy.tenant_id]), seen, history, now)


def terms_of(policy: ScalingPolicy, limits: ScalingLimits) -> PolicyTerms:
    """The policy within what the tenant's profile allows, which may have changed since the policy was set."""
    return PolicyTerms(
        label=policy.tenant.slug,
        min_replicas=limits.within(policy.min_replicas),
        max_replicas=limits.within(policy.max_replicas),
        cpu_target_percent=policy.cpu_target_percent,
        memory_target_percent=policy.memory_target_percent,
        queue_target=policy.queue_target,
        scale_up_cooldown_seconds=policy.scale_up_cooldown_seconds,
        scale_down_cooldown_seconds=policy.scale_down_cooldown_seconds,
        mode=Mode(policy.mode),
    )


def _is_active(policy: ScalingPolicy) -> bool:
    return bool(policy.tenant.status == TenantStatus.ACTIVE)


def _remembered(rounds: Iterable[Round], view: _View, now: datetime) -> dict[str, tuple[Span, ...]]:
    """Return what to remember of each tenant: nothing of one that is not active, for it begins anew."""
    kept: dict[str, tuple[Span, ...]] = {}
    for made in rounds:
        tenant_id = made.policy.tenant_id
        window = timedelta(seconds=made.policy.scale_down_cooldown_seconds)
        history = remember(History(view.spans.get(tenant_id, ())), made.decision.recommendation, now, window)
        kept[tenant_id] = history.spans if _is_active(made.policy) else ()
    return kept


def _send_orders(
    policies: Iterable[ScalingPolicy], targets: Mapping[str, ScalingTarget], shares: Mapping[str, WorkerShare]
) -> None:
    """Tell the backend every target of the round, changed or not: an order that Redis lost comes back so."""
    settings = worker_settings()
    active_backend().publish(
        {
            policy.tenant_id: Target(
                queue_of(policy.tenant_id),
                targets[policy.tenant_id].replicas,
                settings.drain_seconds if _is_active(policy) else settings.inactive_drain_seconds,
                shares[policy.tenant_id].limits,
            )
            for policy in policies
        }
    )


def _log_changes(rounds: Iterable[Round]) -> None:
    for made in rounds:
        if made.decision.changed:
            log.info("scaling.decision.changed", tenant=made.policy.tenant_id, sentence=made.decision.sentence)
