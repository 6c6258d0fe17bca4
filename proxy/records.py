"""What the control plane publishes to gateways and how it reads there; owns the JSON of these records, does no I/O.

Keys in Redis: key("gw", "key", <digest>), key("gw", "tenant", <id>), key("gw", "catalogue"). Absent means unknown.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import orjson

from billing.api import PriceSheet
from core.networks import Networks, admits, networks_of
from core.redis import key
from proxy.gcra import Gcra
from quotas.api import Dimension, EffectiveLimits, Limit
from tenants.api import FailurePolicy

SHIELD_FACTOR = 2


def key_name(digest: str) -> str:
    return key("gw", "key", digest)


def tenant_name(tenant_id: str) -> str:
    return key("gw", "tenant", tenant_id)


def catalogue_name() -> str:
    return key("gw", "catalogue")


def epoch_name() -> str:
    return key("gw", "epoch")


def server_name() -> str:
    """Where the run of the Redis server is kept that the records were published to."""
    return key("gw", "server")


def changes_name() -> str:
    return key("gw", "changes")


def shield(limit: int | None) -> Gcra | None:
    """A rate in this process that no honest use of `limit` requests a minute reaches; spares Redis the flood."""
    return Gcra(rate=limit * SHIELD_FACTOR, burst=limit * SHIELD_FACTOR, per_seconds=60) if limit else None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key, or what a browser token stands for."""

    id: str
    tenant_id: str
    digest: str
    live: bool
    scopes: tuple[str, ...]
    models: tuple[str, ...]
    expires_at_ms: int | None
    limits: tuple[Limit, ...] = ()
    networks: Networks = ()
    shield: Gcra | None = None

    def to_json(self) -> bytes:
        made = {"limits", "networks", "shield"}
        fields = {name: getattr(self, name) for name in KeyRecord.__slots__ if name not in made}
        fields["networks"] = [str(network) for network in self.networks]
        fields["limits"] = [[limit.dimension.value, limit.value] for limit in self.limits]
        return orjson.dumps(fields)

    @classmethod
    def from_json(cls, raw: bytes) -> KeyRecord:
        fields = orjson.loads(raw)
        limits = tuple(Limit(Dimension(name), value) for name, value in fields["limits"])
        fields.update(scopes=tuple(fields["scopes"]), models=tuple(fields["models"]), limits=limits)
        fields["networks"] = networks_of(tuple(fields.get("networks", ())))
        requests = next((x.value for x in limits if x.dimension is Dimension.REQUESTS_PER_MINUTE), None)
        return cls(**fields, shield=shield(requests))

    @property
    def is_page(self) -> bool:
        """Whether this stands for a member's page of the portal, and for no key."""
        return not self.digest

    def may_use(self, model: str) -> bool:
        return not self.models or model in self.models

    def may_come_from(self, address: str, tenant: TenantRecord) -> bool:
        """Whether the tenant, and the key itself, let in a caller from there."""
        if self.is_page:
            return admits(tenant.portal_networks, address)
        return admits(tenant.networks, address) and admits(self.networks, address)


@dataclass(frozen=True, slots=True)
class TenantRecord:
    """A tenant with its limits and prices. `prices` None: nothing is priced, so nothing is served.

    `models` empty: all of the catalogue. A record of an earlier version has neither models nor policy.
    """

    id: str
    slug: str
    status: str
    limits: EffectiveLimits
    prices: PriceSheet | None
    networks: Networks = ()
    portal_networks: Networks = ()
    shield: Gcra | None = None
    models: tuple[str, ...] = ()
    failure_policy: str = FailurePolicy.FAIL_CLOSED

    def to_json(self) -> bytes:
        names = ("id", "slug", "status", "models", "failure_policy")
        fields = {name: getattr(self, name) for name in names} | {"limits": self.limits.to_record()}
        fields["networks"] = [str(network) for network in self.networks]
        fields["portal_networks"] = [str(network) for network in self.portal_networks]
        return orjson.dumps({**fields, "prices": self.prices.to_dict() if self.prices else None})

    @classmethod
    def from_json(cls, raw: bytes) -> TenantRecord:
        fields = orjson.loads(raw)
        limits = EffectiveLimits.from_record(fields["limits"])
        prices = PriceSheet.from_dict(fields["prices"]) if fields["prices"] else None
        return cls(
            id=fields["id"],
            slug=fields["slug"],
            status=fields["status"],
            limits=limits,
            prices=prices,
            networks=networks_of(tuple(fields.get("networks", ()))),
            portal_networks=networks_of(tuple(fields.get("portal_networks", ()))),
            shield=_tenant_shield(limits),
            models=tuple(fields.get("models", ())),
            failure_policy=fields.get("failure_policy", FailurePolicy.FAIL_CLOSED),
        )

    def may_use(self, model: str) -> bool:
        return not self.models or model in self.models


def _tenant_shield(limits: EffectiveLimits) -> Gcra | None:
    for limit in limits.limits:
        if limit.dimension is Dimension.REQUESTS_PER_MINUTE and limit.hard:
            return shield(limit.value)
    return None


@dataclass(frozen=True, slots=True)
class ProviderRecord:
    """Where answers come from. `sealed_key` opens with the installation's master key only."""

    id: str
    name: str
    kind: str
    base_url: str
    sealed_key: str
    options: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """A name that tenants may ask for, and what stands behind it. `context` and `max_output` are tokens."""

    name: str
    provider: str
    upstream_name: str
    kinds: tuple[str, ...]
    context: int
    max_output: int
    default_output: int
    created: int


@dataclass(frozen=True, slots=True)
class CatalogueRecord:
    """All enabled providers and models; `master_keys` are version and fingerprint of what opens the providers' keys."""

    providers: tuple[ProviderRecord, ...]
    models: tuple[ModelRecord, ...]
    master_keys: tuple[tuple[int, str], ...] = ()

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, raw: bytes) -> CatalogueRecord:
        fields = orjson.loads(raw)
        return cls(
            providers=tuple(_provider(row) for row in fields["providers"]),
            models=tuple(_model(row) for row in fields["models"]),
            master_keys=tuple((version, mark) for version, mark in fields.get("master_keys", ())),
        )


def _model(row: dict[str, Any]) -> ModelRecord:
    return ModelRecord(**{**row, "kinds": tuple(row["kinds"])})


def _provider(row: dict[str, Any]) -> ProviderRecord:
    return ProviderRecord(**{**row, "options": tuple((name, value) for name, value in row["options"])})
