"""Billing's settings and the schedule of its tasks: (name, task, seconds)."""

from __future__ import annotations

from datetime import timedelta

SCHEDULE = (
    ("billing: take in usage", "billing.ingest", 1.0),
    ("billing: make partitions ahead", "billing.make_partitions", 86_400.0),
    ("billing: prove the roll-ups", "billing.prove_rollups", 86_400.0),
)

INGEST_BATCH = 2_000  # entries in one transaction at most: large enough to be fast, small enough to be redone
INGEST_SECONDS = 10.0  # a run ends after this; the next one goes on
OLDEST_USAGE = timedelta(days=400)  # what claims to be older or newer than this is set aside for a person
NEWEST_USAGE = timedelta(days=1)
DEAD_LETTERS_KEPT = 100_000
PARTITIONS_AHEAD = 3
PROOF_DAYS = 35
