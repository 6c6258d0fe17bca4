"""A gateway with what the control plane would have published, written straight into Redis; no database."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import redis as redis_library

from billing.api import ChargeModel, Meter, PriceSheet, PriceTerms, SheetPrice, Tier
from core.crypto import pepper, seal
from core.ids import new_ulid
from core.networks import Networks
from core.redis import control, key
from proxy.catalogue import seal_context
from proxy.records import (
    CatalogueRecord,
    KeyRecord,
    ModelRecord,
    ProviderRecord,
    TenantRecord,
    catalogue_name,
    changes_name,
    epoch_name,
    key_name,
    tenant_name,
)
from quotas.api import Dimension, EffectiveLimits, EngineKeys, Limit
from tenants.keyformat import new_key

DEMO_MODELS = (
    "demo-chat",
    "demo-fast",
    "demo-429",
    "demo-500",
    "demo-silence",
    "demo-cut",
    "demo-malformed",
    "demo-slow",
)
GENEROUS = {
    Dimension.REQUESTS_PER_MINUTE: 1_000_000,
    Dimension.TOKENS_PER_MINUTE: 1_000_000_000,
    Dimension.TOKENS_PER_MONTH: 10**12,
    Dimension.MONEY_PER_MONTH: 10**12,
    Dimension.CONCURRENT_REQUESTS: 10_000,
}


def limits_of(tenant_id: str, **changes: int) -> EffectiveLimits:
    values = {**GENEROUS, **{Dimension(name): value for name, value in changes.items()}}
    return EffectiveLimits(tenant_id, tuple(Limit(dimension, value) for dimension, value in values.items()))


def sheet(per_input: str = "0.000001", per_output: str = "0.000002", model: str = "*") -> PriceSheet:
    def price(meter: Meter, amount: str) -> SheetPrice:
        return SheetPrice(meter.value, meter, model, PriceTerms(ChargeModel.PER_UNIT, (Tier(None, Decimal(amount)),)))

    prices = (price(Meter.INPUT_TOKENS, per_input), price(Meter.OUTPUT_TOKENS, per_output))
    return PriceSheet("test-1", "USD", prices, int(time.time() * 1000) + 10**9, {})


def model(name: str, provider: str = "demo", upstream: str = "", **changes: Any) -> ModelRecord:
    kinds = ("embeddings",) if "embed" in name else ("chat",)
    record = ModelRecord(name, provider, upstream or name, kinds, 128_000, 4096, 1024, 1_700_000_000)
    return replace(record, **changes)


@dataclass
class World:
    """The published configuration of one test, and its ends in Redis."""

    redis: redis_library.Redis
    tenant_id: str
    token: str
    digest: str

    def publish_key(self, token: str | None = None, **changes: Any) -> KeyRecord:
        digest = digest_of(token or self.token)
        record = KeyRecord(new_ulid(), self.tenant_id, digest, True, ("inference",), (), None)
        record = replace(record, **changes)
        self.redis.set(key_name(digest), record.to_json())
        self.announce("key", digest)
        return record

    def publish_tenant(
        self,
        status: str = "ACTIVE",
        prices: PriceSheet | None = None,
        networks: Networks = (),
        portal_networks: Networks = (),
        **limits: Any,
    ) -> None:
        allowed = limits_of(self.tenant_id, **limits)
        record = TenantRecord(
            self.tenant_id,
            "acme",
            status,
            allowed,
            prices or sheet(),
            networks=networks,
            portal_networks=portal_networks,
        )
        self.redis.set(tenant_name(self.tenant_id), record.to_json())
        self.announce("tenant", self.tenant_id)

    def publish_catalogue(self, *models: ModelRecord, upstream: str = "", pace_ms: int = 1) -> None:
        demo = ProviderRecord(new_ulid(), "demo", "demo", "", "", (("pace_ms", pace_ms),))
        providers = [demo]
        if upstream:
            identifier = new_ulid()
            sealed = seal("sk-upstream-secret", context=seal_context(identifier))
            providers.append(ProviderRecord(identifier, "real", "openai", upstream, sealed, ()))
        listed = [*(model(name) for name in (*DEMO_MODELS, "demo-embed")), *models]
        self.redis.set(catalogue_name(), CatalogueRecord(tuple(providers), tuple(listed)).to_json())
        self.announce("catalogue", "")

    def announce(self, kind: str, identifier: str) -> None:
        number = self.redis.incr(key("gw", "sequence"))
        self.redis.xadd(changes_name(), {"kind": kind, "id": identifier, "n": number})

    def revoke(self, token: str | None = None) -> None:
        digest = digest_of(token or self.token)
        self.redis.delete(key_name(digest))
        self.announce("key", digest)

    def events(self) -> list[dict[str, Any]]:
        """The usage events so far, oldest first."""
        entries: Any = self.redis.xrange(key("usage"))
        return [json.loads(fields[b"e"]) for _, fields in entries]

    def wait_for_events(self, count: int, seconds: float = 3.0) -> list[dict[str, Any]]:
        deadline = time.monotonic() + seconds
        while len(self.events()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.events()


def digest_of(token: str) -> str:
    return hmac.digest(pepper("api_key", 1), token.encode(), hashlib.sha256).hex()


def make_world(upstream: str = "", *models: ModelRecord, **limits: Any) -> World:
    """One active tenant with one live key, the demo provider, and `upstream` as provider `real`."""
    redis = control()
    token = new_key("live")
    world = World(redis, new_ulid(), token, digest_of(token))
    redis.set(EngineKeys.of_installation().epoch, os.urandom(4).hex())
    world.publish_tenant(**limits)
    world.publish_key()
    world.publish_catalogue(*models, upstream=upstream)
    redis.set(epoch_name(), new_ulid())
    return world
