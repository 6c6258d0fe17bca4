"""Machinery that every REST view of /api/v1 shares; owns no resource and no table."""
