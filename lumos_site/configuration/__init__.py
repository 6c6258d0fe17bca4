"""Configuration as code: one YAML file of providers, plans, tenants, keys, limits and policies, applied or exported."""
