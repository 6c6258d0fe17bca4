"""Telling a tenant's own servers what happens to it: endpoints, signed messages, deliveries that nothing loses."""
