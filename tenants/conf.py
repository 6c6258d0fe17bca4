"""When the tenants app's tasks run: (name, task, seconds)."""

SCHEDULE = (
    ("tenants: compare schemas with the template", "tenants.find_drift", 86400.0),
    ("tenants: back up who is due", "tenants.back_up_due", 900.0),
    ("tenants: prove a backup by restoring it", "tenants.backup_drill", 86400.0),
)
