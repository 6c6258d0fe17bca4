"""The configuration centre: a tenant's typed settings with their history. Values live in the tenant's own schema."""
