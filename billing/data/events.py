"""What billing tells the other rooms."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import DomainEvent, event_type


@event_type("billing.plan-changed")
@dataclass(frozen=True, slots=True)
class PlanChanged(DomainEvent):
    """A plan has a new published version. Subscriptions keep theirs, so no sheet changes by this alone."""

    plan_code: str
    version_code: str


@event_type("billing.subscription-changed")
@dataclass(frozen=True, slots=True)
class SubscriptionChanged(DomainEvent):
    """A tenant is on another plan version from now on: its price sheet is a new one."""

    tenant_id: str


@event_type("billing.tier-crossed")
@dataclass(frozen=True, slots=True)
class TierCrossed(DomainEvent):
    """Usage took a price of the tenant into another tier, so the positions of its price sheet are stale."""

    tenant_id: str
