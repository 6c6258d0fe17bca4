"""What the outbox counts for Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

WAITING = Gauge("lumos_outbox_waiting", "Events that are to be delivered still.", multiprocess_mode="mostrecent")
FAILED = Gauge(
    "lumos_outbox_failed",
    "Events that were given up and wait for an operator.",
    multiprocess_mode="mostrecent",
)
FAILURES = Counter("lumos_outbox_handler_failures_total", "Attempts that failed, by handler.", ["handler"])
