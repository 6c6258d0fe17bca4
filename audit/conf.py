"""When the audit app's tasks run: (name, task, seconds)."""

SCHEDULE = (
    ("audit: relay the outbox", "audit.relay_outbox", 2.0),
    ("audit: prune the outbox", "audit.prune_outbox", 3600.0),
    ("audit: make partitions ahead", "audit.make_partitions", 86_400.0),
)
