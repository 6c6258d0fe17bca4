"""When the tenants app's tasks run: (name, task, seconds)."""

SCHEDULE = (("tenants: compare schemas with the template", "tenants.find_drift", 86400.0),)
