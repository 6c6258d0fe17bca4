"""What billing counts for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

EVENTS = Counter(
    "lumos_billing_usage_events_total",
    "Usage entries taken from the stream, by what became of them.",
    ["outcome"],  # stored, duplicate, dead, unpriced
)
BACKLOG = Gauge(
    "lumos_billing_usage_backlog",
    "Usage entries that wait in the stream.",
    multiprocess_mode="mostrecent",
)
ROLLUP_DRIFT = Gauge(
    "lumos_billing_rollup_drift",
    "Roll-ups and positions that differed from the events at the last proof.",
    multiprocess_mode="mostrecent",
)
