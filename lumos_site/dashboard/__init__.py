"""The operators' front page: what is going on now, across all tenants."""
