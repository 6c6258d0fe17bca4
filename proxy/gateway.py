"""One gateway process: its caches, connections and open exchanges; owns their start, drain and end.

Nothing here knows Django's database. Everything belongs to one event loop.
"""

from __future__ import annotations

import asyncio

import structlog

from core.errors import Unavailable
from core.networks import admits
from core.redis.pipe import RedisPipe
from proxy.catalogue import Catalogue
from proxy.conf import GatewaySettings
from proxy.directory import Directory
from proxy.gcra import Gcra
from proxy.leases import Leases
from proxy.metrics import Tally
from proxy.settlement import Settler
from proxy.tail import Tail
from proxy.watch import Watch
from quotas.api import QuotaEngine
from tenants.api import TenantStatus

log = structlog.get_logger(__name__)
_PRUNE_SECONDS = 5.0
_CONNECT_TRIES = 40
_CONNECT_PAUSE = 0.25
_GLOBAL_TABLE = 1


class Gateway:
    """Start it in the loop that serves; `drain` before `stop`."""

    def __init__(self, settings: GatewaySettings, redis_url: str) -> None:
        self.settings = settings
        self.pipe = RedisPipe(redis_url)
        self.engine = QuotaEngine(self.pipe)
        self.directory = Directory(self.pipe, settings)
        self.catalogue = Catalogue(settings)
        self.tail = Tail(redis_url, self._on_change, self._on_reset)
        self.settler = Settler(self.engine, settings.settle_backlog)
        self.leases = Leases()
        self.watch = Watch(settings, self._on_tick)
        self.tally = Tally(self)
        self.ip_rate = Gcra(rate=settings.ip_rate, burst=settings.ip_burst, capacity=settings.ip_table)
        self.global_rate = Gcra(rate=settings.global_rate, burst=settings.global_burst, capacity=_GLOBAL_TABLE)
        self.draining = False
        self._pruned_at = 0.0

    @property
    def ready(self) -> bool:
        """Whether requests can be decided: configuration known and kept true, Redis there, not draining."""
        return self.catalogue.loaded and self.tail.attached and self.pipe.connected and not self.draining

    async def start(self) -> None:
        """Connects and loads what is published; raises Unavailable when Redis stays away."""
        for attempt in range(_CONNECT_TRIES):
            try:
                await self.pipe.connect()
                await self.tail.start()
                break
            except Unavailable:
                if attempt == _CONNECT_TRIES - 1:
                    raise
                await asyncio.sleep(_CONNECT_PAUSE)
        self.watch.start()
        log.info("proxy.gateway.started", models=len(self.catalogue.routes))

    async def drain(self) -> None:
        """Takes no more requests, lets open ones end, cuts the rest, closes the books."""
        self.draining = True
        cut = await self.watch.drained(self.settings.drain_seconds)
        left = await self.settler.drain(5)
        log.info("proxy.gateway.drained", cut=cut, unsettled=left)

    async def stop(self) -> None:
        self.watch.stop()
        await self.tail.stop()
        await self.catalogue.close()
        await self.pipe.close()

    def _on_tick(self, now: float) -> None:
        if now - self._pruned_at > _PRUNE_SECONDS:
            self._pruned_at = now
            self.catalogue.prune(now)
            self.catalogue.try_to_open()

    async def _on_change(self, kind: str, identifier: str) -> None:
        if kind == "key":
            self.directory.drop_key(identifier)
            await self._recheck_key(identifier)
        elif kind == "tenant":
            self.directory.drop_tenant(identifier)
            await self._recheck_tenant(identifier)
        elif kind == "catalogue":
            await self.catalogue.load(self.pipe)
        else:
            await self._on_reset()

    async def _on_reset(self) -> None:
        """Something may have been missed: forget, reload, and ask again for everything that is open.

        Raises Unavailable; the tail then repeats it, because an open stream that was not asked about might be one
        whose key is gone.
        """
        self.directory.drop_all()
        await self.catalogue.load(self.pipe)
        for digest in self.watch.key_digests():
            await self._recheck_key(digest)
        for tenant_id in self.watch.tenant_ids():
            await self._recheck_tenant(tenant_id)

    async def _recheck_key(self, digest: str) -> None:
        if digest not in self.watch.key_digests():
            return
        key = await self.directory.published_key(digest)
        if key is None:
            self.watch.withdraw_key(digest)
        elif key.networks:
            self.watch.withdraw(lambda held, ip: held.digest == digest and not admits(key.networks, ip))

    async def _recheck_tenant(self, tenant_id: str) -> None:
        if tenant_id in self.watch.tenant_ids():
            tenant = await self.directory.tenant(tenant_id)
            if tenant is None or tenant.status != TenantStatus.ACTIVE:
                self.watch.withdraw_tenant(tenant_id)
            else:
                self.watch.withdraw(lambda held, ip: held.tenant_id == tenant_id and not held.may_come_from(ip, tenant))
