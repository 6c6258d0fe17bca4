"""Storing what a round decided; owns the roll-up of equal rounds and the last word to each backend, no rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from scaling.data import Decision
from scaling.models import ScalingDecision, ScalingPolicy, ScalingTarget


@dataclass(frozen=True, slots=True)
class Round:
    """One tenant's decision with what it was made from."""

    policy: ScalingPolicy
    target: ScalingTarget
    decision: Decision


def store_rounds(rounds: Sequence[Round], *, now: datetime) -> None:
    """Write all decisions of a tick and move the targets, in the caller's transaction.

    An equal round without a change adds to the row before it, so that a quiet tenant costs one row, not 5760 a day.
    """
    fresh, grown = [], []
    for made in rounds:
        row = made.target.decision
        if row is not None and _continues(row, made):
            row.count += 1
            row.last_at = now
            row.wanted = made.decision.wanted
            row.sentence, row.proposals = made.decision.sentence, proposals_out(made.decision)
            grown.append(row)
        else:
            made.target.decision = _new_row(made, now)
            fresh.append(made.target.decision)
        _move(made, now)
    ScalingDecision.objects.bulk_create(fresh, batch_size=500)
    ScalingDecision.objects.bulk_update(grown, ["count", "last_at", "wanted", "sentence", "proposals"], batch_size=200)
    moved = [made.target for made in rounds]
    ScalingTarget.objects.bulk_update(moved, ["replicas", "scaled_up_at", "scaled_down_at", "decision"], batch_size=200)


def _continues(row: ScalingDecision, made: Round) -> bool:
    same = (row.reason, row.current, row.policy_version) == (
        made.decision.reason,
        made.decision.current,
        made.policy.version,
    )
    return same and not row.changed and not made.decision.changed


def _new_row(made: Round, now: datetime) -> ScalingDecision:
    return ScalingDecision(
        tenant_id=made.target.tenant_id,
        policy_version=made.policy.version,
        current=made.decision.current,
        wanted=made.decision.wanted,
        final=made.decision.final,
        reason=made.decision.reason,
        sentence=made.decision.sentence,
        proposals=proposals_out(made.decision),
        changed=made.decision.changed,
        first_at=now,
        last_at=now,
    )


def _move(made: Round, now: datetime) -> None:
    """Note a change, and only a change: a cooldown counts from here."""
    if made.decision.final > made.target.replicas:
        made.target.scaled_up_at = now
    elif made.decision.final < made.target.replicas:
        made.target.scaled_down_at = now
    made.target.replicas = made.decision.final


def proposals_out(decision: Decision) -> list[dict[str, Any]]:
    """The proposals as JSON, for storage and REST."""
    return [
        {
            "metric": proposal.metric,
            "health": proposal.health,
            "value": proposal.value,
            "target": proposal.target,
            "replicas": proposal.replicas,
        }
        for proposal in decision.proposals
    ]


def prune_unchanged(*, now: datetime, keep: timedelta) -> int:
    """Delete rows without a change that ended before `keep` ago; changes stay for ever. Returns how many."""
    in_use = ScalingTarget.objects.exclude(decision=None).values("decision")
    old = ScalingDecision.objects.filter(changed=False, last_at__lt=now - keep).exclude(pk__in=in_use)
    deleted, _ = old.delete()
    return deleted
