"""What crosses billing's border: usage facts, price terms, bills and figures; plain frozen values.

Money is Decimal in the currency's major unit, or an integer of micro-units where the name says `_micro`.
"""

from billing.data.bills import Bill, BillLine, LineKind, Period
from billing.data.catalogue import PlanOffer, PlanPrice, SubscriptionFacts, TokenCosts
from billing.data.events import PlanChanged, SubscriptionChanged, TierCrossed
from billing.data.prices import (
    ChargeModel,
    Meter,
    PriceSheet,
    PriceTerms,
    RatedSlice,
    SheetPrice,
    SliceKind,
    Tier,
)
from billing.data.usage import (
    MalformedUsage,
    UsageFact,
    UsageFigures,
    UsagePoint,
    UsageShare,
    UsageStatus,
)

__all__ = [
    "Bill",
    "BillLine",
    "ChargeModel",
    "LineKind",
    "MalformedUsage",
    "Meter",
    "Period",
    "PlanChanged",
    "PlanOffer",
    "PlanPrice",
    "PriceSheet",
    "PriceTerms",
    "RatedSlice",
    "SheetPrice",
    "SliceKind",
    "SubscriptionChanged",
    "SubscriptionFacts",
    "Tier",
    "TierCrossed",
    "TokenCosts",
    "UsageFact",
    "UsageFigures",
    "UsagePoint",
    "UsageShare",
    "UsageStatus",
]
