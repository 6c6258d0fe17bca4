"""Measuring the gateway: a fake provider, a load generator and the scenarios of docs/performance.md."""
