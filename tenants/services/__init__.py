"""Every write of the tenants app."""
