"""Who may come in, as this process remembers it: keys and tenants, filled from Redis, emptied by pushes.

Owns the bounded caches and the rule that a record read before a change is not kept after it; refuses to decide
what a key may do.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TypeVar

from core.crypto import KeyedHash, current_version, pepper
from core.redis.pipe import RedisPipe
from proxy.conf import GatewaySettings
from proxy.errors import CredentialRefused, NotReady
from proxy.records import KeyRecord, TenantRecord, epoch_name, key_name, tenant_name
from tenants.api import is_well_formed

_PURPOSE = "api_key"
T = TypeVar("T")


class Directory:
    """`generation` rises with every change; whoever read before it must not store after it."""

    def __init__(self, pipe: RedisPipe, settings: GatewaySettings) -> None:
        self._pipe = pipe
        self._settings = settings
        self._keys: OrderedDict[str, KeyRecord] = OrderedDict()
        self._aliases: OrderedDict[str, str] = OrderedDict()  # stored under an older pepper -> under the current one
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._tenants: OrderedDict[str, TenantRecord] = OrderedDict()
        self._generation = 0
        self._peppers: tuple[KeyedHash, ...] = ()

    async def key(self, token: str) -> KeyRecord:
        """The record of a presented key. Raises CredentialRefused; Unavailable when Redis is needed and away, and
        NotReady when it is there and empty."""
        digest = self._digest(token.encode(), 0)
        known = self._keys.get(digest)
        if known is not None:
            self._keys.move_to_end(digest)
            return known
        if not is_well_formed(token):
            raise CredentialRefused()
        return await self._fetch_key(token, digest)

    async def tenant(self, tenant_id: str) -> TenantRecord | None:
        """The tenant's record, None when nobody published one. Raises Unavailable and NotReady."""
        known = self._tenants.get(tenant_id)
        if known is not None:
            self._tenants.move_to_end(tenant_id)
            return known
        generation = self._generation
        raw, epoch = await self._pipe.execute("MGET", tenant_name(tenant_id), epoch_name())
        if raw is None and epoch is None:
            raise NotReady(retry_after_ms=2000)
        record = TenantRecord.from_json(raw) if raw else None
        if record is not None and generation == self._generation:
            _remember(self._tenants, tenant_id, record, self._settings.key_cache)
        return record

    async def published_key(self, digest: str) -> KeyRecord | None:
        """Asks Redis, not the cache, what is published of that key now."""
        raw = await self._pipe.execute("GET", key_name(digest))
        return KeyRecord.from_json(raw) if raw else None

    def drop_key(self, digest: str) -> None:
        self._generation += 1
        self._keys.pop(digest, None)
        self._keys.pop(self._aliases.pop(digest, ""), None)
        self._unknown.pop(digest, None)

    def drop_tenant(self, tenant_id: str) -> None:
        self._generation += 1
        self._tenants.pop(tenant_id, None)

    def drop_all(self) -> None:
        self._generation += 1
        self._keys.clear()
        self._aliases.clear()
        self._unknown.clear()
        self._tenants.clear()
        self._peppers = ()

    async def _fetch_key(self, token: str, digest: str) -> KeyRecord:
        if self._unknown.get(digest, 0.0) > time.monotonic():
            raise CredentialRefused()
        generation = self._generation
        digests = [self._digest(token.encode(), age) for age in range(len(self._peppers))]
        *records, epoch = await self._pipe.execute("MGET", *map(key_name, digests), epoch_name())
        found = [raw for raw in records if raw]
        if not found and epoch is None:
            raise NotReady(retry_after_ms=2000)  # Redis lost what was published: nobody can be told to be unknown
        if not found:
            until = time.monotonic() + self._settings.unknown_seconds
            _remember(self._unknown, digest, until, self._settings.unknown_cache)
            raise CredentialRefused()
        record = KeyRecord.from_json(found[0])
        if generation == self._generation:
            _remember(self._keys, digest, record, self._settings.key_cache)
            if record.digest != digest:
                _remember(self._aliases, record.digest, digest, self._settings.key_cache)
        return record

    def _digest(self, token: bytes, age: int) -> str:
        """The stored name of a key under the current pepper (`age` 0) or an older one."""
        if not self._peppers:
            newest = current_version(_PURPOSE)
            self._peppers = tuple(KeyedHash(pepper(_PURPOSE, version)) for version in range(newest, 0, -1))
        return self._peppers[age].hexdigest(token)


def _remember(table: OrderedDict[str, T], name: str, value: T, limit: int) -> None:
    table[name] = value
    if len(table) > limit:
        table.popitem(last=False)
