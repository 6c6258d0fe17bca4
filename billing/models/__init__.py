"""Billing's tables: the catalogue, who subscribed to what, and metered usage."""

from billing.models.catalogue import ModelCost, Plan, PlanVersion, Price
from billing.models.contracts import PeriodPosition, Subscription
from billing.models.usage import PendingCorrection, UsageEvent, UsageRollup

__all__ = [
    "ModelCost",
    "PendingCorrection",
    "PeriodPosition",
    "Plan",
    "PlanVersion",
    "Price",
    "Subscription",
    "UsageEvent",
    "UsageRollup",
]
