"""The tenants' schemas as a fleet: which migrations each has, bringing them to head, and finding drift."""
