"""Pages for what is no room's own: accounts and the schedule, so that nothing is left unstyled."""

from lumos_site.admin.accounts import AccountAdmin
from lumos_site.admin.schedule import CrontabAdmin, IntervalAdmin, PeriodicTaskAdmin

__all__ = ["AccountAdmin", "CrontabAdmin", "IntervalAdmin", "PeriodicTaskAdmin"]
