"""Kinds of providers, one folder each; a folder exports `build`. Adding one is adding a folder with its name here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proxy.providers import demo, openai
from proxy.providers.base import Provider, ProviderConfig

BUILDERS: Final[dict[str, Callable[[ProviderConfig], Provider]]] = {
    "demo": demo.build,
    "openai": openai.build,
}


def build(config: ProviderConfig) -> Provider:
    """The provider of a configuration; raises KeyError for a kind that is not here."""
    return BUILDERS[config.kind](config)
