"""The fences around a tenant, tried."""

from tenants.isolation.registry import Broken, CheckResult, FenceKind, NotApplicable, Outcome, proves, title_of
from tenants.isolation.reporting import last_reports, report_checks, run_isolation_report

__all__ = [
    "Broken",
    "CheckResult",
    "FenceKind",
    "NotApplicable",
    "Outcome",
    "last_reports",
    "proves",
    "report_checks",
    "run_isolation_report",
    "title_of",
]
