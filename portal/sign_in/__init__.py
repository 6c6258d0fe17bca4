"""Signing in and out of a tenant's portal."""
