"""The operators' pages of limits and quota alerts."""

from quotas.admin.alerts import QuotaAlertAdmin
from quotas.admin.limits import PlanLimitAdmin, TenantLimitAdmin, TypeLimitAdmin

__all__ = ["PlanLimitAdmin", "QuotaAlertAdmin", "TenantLimitAdmin", "TypeLimitAdmin"]
