"""When the audit app's tasks run: (name, task, seconds)."""

SCHEDULE = (
    ("audit: relay the outbox", "audit.relay_outbox", 2.0),
    ("audit: prune the outbox", "audit.prune_outbox", 3600.0),
    ("audit: seal the log", "audit.seal", 2.0),
    ("audit: keep the signed heads", "audit.publish_heads", 3600.0),
    ("audit: check the chains", "audit.verify", 86_400.0),
    ("audit: make partitions ahead, drop old ones", "audit.keep_partitions", 86_400.0),
)
