"""The operators' pages of providers, provider keys and models."""

from proxy.admin.offers import ModelAdmin
from proxy.admin.providers import ProviderAdmin, ProviderKeyAdmin

__all__ = ["ModelAdmin", "ProviderAdmin", "ProviderKeyAdmin"]
