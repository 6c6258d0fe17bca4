"""What the tenants app counts for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ISOLATION_FAILURES = Counter(
    "lumos_isolation_check_failures_total",
    "Checks of isolation reports that failed or could not run, by fence. Any increase calls an operator.",
    ["fence", "outcome"],
)
ISOLATION_FAILED = Gauge(
    "lumos_isolation_failed_tenants",
    "Tenants whose newest isolation report is not passed.",
    multiprocess_mode="mostrecent",
)
