"""The operators' pages of plans, contracts, usage and costs."""

from billing.admin.catalogue import ModelCostAdmin, PlanAdmin
from billing.admin.contracts import SubscriptionAdmin
from billing.admin.usage import UsageEventAdmin, UsageRollupAdmin
from billing.admin.versions import PlanVersionAdmin

__all__ = [
    "ModelCostAdmin",
    "PlanAdmin",
    "PlanVersionAdmin",
    "SubscriptionAdmin",
    "UsageEventAdmin",
    "UsageRollupAdmin",
]
