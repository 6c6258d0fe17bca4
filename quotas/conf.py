"""When the quotas app's tasks run: (name, task, seconds)."""

SCHEDULE = (
    ("quotas: close abandoned reservations", "quotas.sweep", 5.0),
    ("quotas: rebuild counters after a loss", "quotas.recover", 2.0),
    ("quotas: clear limits whose end has come", "quotas.expire_limits", 2.0),
    ("quotas: store alerts", "quotas.store_alerts", 5.0),
    ("quotas: compare counters with the books", "quotas.reconcile", 60.0),
)
