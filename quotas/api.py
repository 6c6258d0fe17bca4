"""The quotas app's front door."""

from quotas.checks import self_test
from quotas.conf import SCHEDULE
from quotas.data import (
    Admission,
    Alert,
    Denial,
    Dimension,
    EffectiveLimits,
    Kind,
    Limit,
    LimitsChanged,
    LimitScope,
    LimitSource,
    LimitStep,
    MeterReading,
    Outcome,
    Period,
    PeriodTotals,
    ReserveRequest,
    ThresholdReached,
    Ticket,
    Unit,
    Window,
)
from quotas.engine.blocking import BlockingQuotaEngine
from quotas.engine.engine import QuotaEngine
from quotas.engine.keys import EngineKeys
from quotas.engine.rebuild import Drift, is_recovering, reconcile, recover, register_totals_provider
from quotas.engine.upkeep import Swept, correct_money, sweep
from quotas.errors import (
    AmountNotUsable,
    InsufficientQuota,
    LimitNotUsable,
    QuotaExceeded,
    QuotasRecovering,
    RateLimitExceeded,
    ReservationClosed,
)
from quotas.periods import calendar_month
from quotas.policies import limits_of_key
from quotas.selectors import all_effective_limits, effective_limits, recent_alerts, usage_of
from quotas.services import (
    clear_limit,
    seed_type_limits,
    set_limit,
    set_plan_limit,
    set_type_limit,
    store_alerts,
)

__all__ = [
    "SCHEDULE",
    "Admission",
    "Alert",
    "AmountNotUsable",
    "BlockingQuotaEngine",
    "Denial",
    "Dimension",
    "Drift",
    "EffectiveLimits",
    "EngineKeys",
    "InsufficientQuota",
    "Kind",
    "Limit",
    "LimitNotUsable",
    "LimitScope",
    "LimitSource",
    "LimitStep",
    "LimitsChanged",
    "MeterReading",
    "Outcome",
    "Period",
    "PeriodTotals",
    "QuotaEngine",
    "QuotaExceeded",
    "QuotasRecovering",
    "RateLimitExceeded",
    "ReservationClosed",
    "ReserveRequest",
    "Swept",
    "ThresholdReached",
    "Ticket",
    "Unit",
    "Window",
    "all_effective_limits",
    "calendar_month",
    "clear_limit",
    "correct_money",
    "effective_limits",
    "is_recovering",
    "limits_of_key",
    "recent_alerts",
    "reconcile",
    "recover",
    "register_totals_provider",
    "seed_type_limits",
    "self_test",
    "set_limit",
    "set_plan_limit",
    "set_type_limit",
    "store_alerts",
    "sweep",
    "usage_of",
]
