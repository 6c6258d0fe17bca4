"""Reads of scaling that more than one caller shares; data objects and lists, never lazy rows."""

from __future__ import annotations

from scaling.backends import active_backend
from scaling.data import DecisionFacts, Fleet, Mode, Reason, ScalingStatus, TenantWorkers
from scaling.errors import BackendAway, PolicyNotFound
from scaling.models import ScalingDecision, ScalingPolicy, ScalingTarget


def policy_of(tenant_id: str) -> ScalingPolicy:
    """The tenant's policy. Raises PolicyNotFound."""
    policy = ScalingPolicy.objects.select_related("tenant").filter(tenant_id=tenant_id).first()
    if policy is None:
        raise PolicyNotFound()
    return policy


def recent_changes(*, limit: int = 20) -> list[DecisionFacts]:
    """The newest changes of all tenants, for the operator's dashboard."""
    return [_facts(row) for row in ScalingDecision.objects.filter(changed=True).order_by("-last_at", "-id")[:limit]]


def status_of(tenant_id: str) -> ScalingStatus:
    """One tenant's scaling at a glance. Raises PolicyNotFound."""
    policy, fleet = policy_of(tenant_id), fleet_or_none()
    target = ScalingTarget.objects.select_related("decision").filter(tenant_id=tenant_id).first()
    decision = target.decision if target else None
    return ScalingStatus(
        tenant_id=policy.tenant_id,
        slug=policy.tenant.slug,
        mode=Mode(policy.mode),
        desired=target.replicas if target else 0,
        min_replicas=policy.min_replicas,
        max_replicas=policy.max_replicas,
        workers=fleet.tenants.get(policy.tenant_id, TenantWorkers()) if fleet else TenantWorkers(),
        observed_at=fleet.observed_at if fleet else None,
        last_sentence=decision.sentence if decision else "",
        last_decided_at=decision.last_at if decision else None,
    )


def fleet_or_none() -> Fleet | None:
    """The backend's last report; None when there is none or it cannot be asked now."""
    try:
        return active_backend().fleet()
    except BackendAway:
        return None


def _facts(row: ScalingDecision) -> DecisionFacts:
    return DecisionFacts(
        id=row.public_id,
        tenant_id=row.tenant_id,
        policy_version=row.policy_version,
        current=row.current,
        wanted=row.wanted,
        final=row.final,
        reason=Reason(row.reason),
        sentence=row.sentence,
        changed=row.changed,
        count=row.count,
        first_at=row.first_at,
        last_at=row.last_at,
    )
