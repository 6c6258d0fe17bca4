"""The gateway's front door for other rooms; the ASGI application is mounted from proxy.asgi."""

from proxy.data import CatalogueChanged, ModelFacts, ModelKind, ProviderFacts, ProviderKeyFacts, ProviderKind
from proxy.models import Model, Provider, ProviderKey
from proxy.publish import ensure_published, publish_catalogue, publish_key, publish_tenant, republish_all
from proxy.seed import seed_demo_provider, seed_from_env
from proxy.selectors import all_models, all_providers, models_of, usable_models
from proxy.services import (
    add_model,
    add_provider,
    change_model,
    change_provider,
    provider_key_is,
    remove_provider_key,
    seal_provider_keys_anew,
    set_provider_key,
)
from proxy.tokens import BROWSER_TOKEN_SECONDS, mint_browser_token

__all__ = [
    "BROWSER_TOKEN_SECONDS",
    "CatalogueChanged",
    "Model",
    "ModelFacts",
    "ModelKind",
    "Provider",
    "ProviderFacts",
    "ProviderKey",
    "ProviderKeyFacts",
    "ProviderKind",
    "add_model",
    "add_provider",
    "all_models",
    "all_providers",
    "change_model",
    "change_provider",
    "ensure_published",
    "mint_browser_token",
    "models_of",
    "provider_key_is",
    "publish_catalogue",
    "publish_key",
    "publish_tenant",
    "remove_provider_key",
    "republish_all",
    "seal_provider_keys_anew",
    "seed_demo_provider",
    "seed_from_env",
    "set_provider_key",
    "usable_models",
]
