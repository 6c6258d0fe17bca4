"""The gateway: what tenants' programs call, from the first byte of a request to its usage event."""
