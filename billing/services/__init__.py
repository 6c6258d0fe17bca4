"""Every write of billing but the ingest's: the catalogue, and who is subscribed to what."""

from billing.services.catalogue import publish_plan_version, save_plan, seed_catalogue, set_model_cost
from billing.services.contracts import subscribe_tenant

__all__ = ["publish_plan_version", "save_plan", "seed_catalogue", "set_model_cost", "subscribe_tenant"]
