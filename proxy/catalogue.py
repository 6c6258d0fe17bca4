"""The models of this installation and the providers behind them, as this process holds them; owns provider objects.

A new catalogue replaces the old one whole. Providers whose configuration did not change are kept with their open
connections; the others are closed when their last exchange is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from core import master_keys
from core.crypto import SealBroken, unseal
from core.master_keys import Sealed
from core.redis.pipe import RedisPipe
from proxy.conf import GatewaySettings
from proxy.providers import build
from proxy.providers.base import Provider, ProviderConfig
from proxy.records import CatalogueRecord, ModelRecord, ProviderRecord, catalogue_name

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """A model and the provider that serves it."""

    model: ModelRecord
    provider: Provider


def seal_context(provider_id: str) -> str:
    """What a provider's sealed key is bound to."""
    return f"proxy.provider:{provider_id}"


class Catalogue:
    """`loaded` is false until a published catalogue was read once, `sealed` true while
    the master key is missing: no provider's key opens then, and no provider is called."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._providers: dict[ProviderRecord, Provider] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._record: CatalogueRecord | None = None
        self.routes: dict[str, Route] = {}
        self.loaded = False
        self.sealed = False

    async def load(self, pipe: RedisPipe) -> None:
        """Reads what is published; keeps what it has when nothing is. Raises Unavailable."""
        raw = await pipe.execute("GET", catalogue_name())
        if raw:
            self.replace(CatalogueRecord.from_json(raw))

    def replace(self, record: CatalogueRecord) -> None:
        old = self._providers
        master_keys.expect(dict(record.master_keys))
        self._record, self.sealed = record, master_keys.is_sealed()
        self._providers = self._built(record)
        by_name = {config.name: provider for config, provider in self._providers.items()}
        self.routes = {
            model.name: Route(model, by_name[model.provider]) for model in record.models if model.provider in by_name
        }
        self.loaded = True
        for config, provider in old.items():
            if self._providers.get(config) is not provider:
                self._retire(provider)

    def try_to_open(self) -> None:
        """When the master key has been put back, what was sealed opens without a restart."""
        if self.sealed and self._record is not None and not master_keys.is_sealed():
            log.info("proxy.catalogue.unsealed")
            self.replace(self._record)

    def prune(self, now: float) -> None:
        for provider in self._providers.values():
            provider.prune(now)

    async def close(self) -> None:
        for task in list(self._retired):
            task.cancel()
        for provider in self._providers.values():
            await provider.close()

    def _built(self, record: CatalogueRecord) -> dict[ProviderRecord, Provider]:
        providers = {}
        for config in record.providers:
            known = self._providers.get(config)
            try:
                providers[config] = known or build(self._config(config))
            except (KeyError, ValueError, SealBroken, Sealed) as error:
                log.error("proxy.catalogue.provider_unusable", provider=config.name, error=str(error)[:200])
        return providers

    def _config(self, record: ProviderRecord) -> ProviderConfig:
        secret = unseal(record.sealed_key, context=seal_context(record.id)) if record.sealed_key else ""
        return ProviderConfig(
            name=record.name,
            kind=record.kind,
            base_url=record.base_url,
            secret=secret,
            options=dict(record.options),
            connect_ms=self._settings.connect_ms,
        )

    def _retire(self, provider: Provider) -> None:
        task = asyncio.get_running_loop().create_task(self._close_later(provider))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)

    async def _close_later(self, provider: Provider) -> None:
        await asyncio.sleep(self._settings.total_ms / 1000)
        await provider.close()
