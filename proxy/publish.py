"""Puts the configuration where gateways read it, and tells them what changed; owns what is in Redis under `gw`.

A record and its change number are written in one step, so that a gateway that knows the number has seen the record.
PostgreSQL stays the truth: everything here can be made again by `republish_all`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TypeVar

import structlog

from billing.api import NoSubscription, price_sheet
from core.ids import new_ulid
from core.redis import control, key
from proxy.models import Model, Provider
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
from quotas.api import EffectiveLimits, all_effective_limits, effective_limits, limits_of_key
from tenants.api import (
    KeyFacts,
    TenantFacts,
    TenantStatus,
    all_tenant_facts,
    key_facts_by_id,
    tenant_by_id,
    tenant_facts,
    usable_key_facts,
)

log = structlog.get_logger(__name__)
T = TypeVar("T")
_CHANGES_KEPT = 10_000
_BATCH = 500
_GONE = frozenset({TenantStatus.ARCHIVED})

# KEYS: record, sequence, changes. ARGV: kind, id, record ("" deletes it), how many changes to keep.
_ANNOUNCE = """
if KEYS[1] ~= '' then
  if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end
end
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'kind', ARGV[1], 'id', ARGV[2], 'n', n)
return n
"""


def publish_key(key_id: str, now: datetime) -> None:
    """Publish a key, or withdraw it when it is revoked or expired. Raises KeyNotFound."""
    facts = key_facts_by_id(key_id)
    over = facts.revoked or (facts.expires_at_ms is not None and facts.expires_at_ms <= now.timestamp() * 1000)
    _announce(key_name(facts.digest), "key", facts.digest, b"" if over else _key_record(facts).to_json())


def publish_tenant(tenant_id: str, now: datetime) -> None:
    """Publish a tenant with limits and prices, or withdraw an archived one. Raises TenantNotFound."""
    facts = tenant_facts(tenant_by_id(tenant_id))
    gone = facts.status in _GONE
    record = b"" if gone else _tenant_record(facts, effective_limits(tenant_id), now).to_json()
    _announce(tenant_name(tenant_id), "tenant", tenant_id, record)


def publish_tenants(now: datetime) -> None:
    """Publish every tenant: a limit or price that many share has changed."""
    limits = {entry.tenant_id: entry for entry in all_effective_limits()}
    for facts in all_tenant_facts():
        if facts.status not in _GONE:
            _announce(tenant_name(facts.id), "tenant", facts.id, _tenant_record(facts, limits[facts.id], now).to_json())


def publish_catalogue() -> None:
    """Publish all enabled providers and models."""
    _announce(catalogue_name(), "catalogue", "", _catalogue_record().to_json())


def republish_all(now: datetime) -> int:
    """Write every record anew, withdraw what is no longer true, and make gateways forget; returns the key count."""
    redis = control()
    digests: set[str] = set()
    for batch in _batches(usable_key_facts(now)):
        redis.mset({key_name(facts.digest): _key_record(facts).to_json() for facts in batch})
        digests.update(facts.digest for facts in batch)
    _withdraw_unknown(digests, now)
    publish_tenants(now)
    publish_catalogue()
    redis.set(epoch_name(), new_ulid())
    _announce("", "all", "", b"")
    log.info("proxy.publish.all", keys=len(digests))
    return len(digests)


def ensure_published(now: datetime) -> bool:
    """Republish when Redis lost its memory; True when that was needed. One process at a time does it."""
    redis = control()
    if redis.exists(epoch_name()) or not redis.set(key("gw", "publishing"), "1", nx=True, ex=30):
        return False
    try:
        republish_all(now)
    finally:
        redis.delete(key("gw", "publishing"))
    return True


def _announce(name: str, kind: str, identifier: str, record: bytes) -> None:
    keys = [name, key("gw", "sequence"), changes_name()]
    control().eval(_ANNOUNCE, len(keys), *keys, kind, identifier, record, _CHANGES_KEPT)


def _key_record(facts: KeyFacts) -> KeyRecord:
    return KeyRecord(
        id=facts.id,
        tenant_id=facts.tenant_id,
        digest=facts.digest,
        live=facts.live,
        scopes=facts.scopes,
        models=facts.models,
        expires_at_ms=facts.expires_at_ms,
        limits=limits_of_key(facts.limits),
    )


def _tenant_record(facts: TenantFacts, limits: EffectiveLimits, now: datetime) -> TenantRecord:
    try:
        prices = price_sheet(facts.id, now)
    except NoSubscription:
        prices = None  # nothing is sold to a tenant without a plan
    return TenantRecord(facts.id, facts.slug, facts.status, limits, prices)


def _catalogue_record() -> CatalogueRecord:
    providers = Provider.objects.filter(enabled=True).prefetch_related("keys").order_by("name")
    models = Model.objects.filter(enabled=True, provider__enabled=True).select_related("provider").order_by("name")
    return CatalogueRecord(
        providers=tuple(_provider_record(row) for row in providers),
        models=tuple(
            ModelRecord(
                name=row.name,
                provider=row.provider.name,
                upstream_name=row.upstream_name,
                kinds=tuple(row.kinds),
                context=row.context,
                max_output=row.max_output,
                default_output=row.default_output,
                created=int(row.created_at.timestamp()),
            )
            for row in models
        ),
    )


def _provider_record(row: Provider) -> ProviderRecord:
    newest = max(row.keys.all(), key=lambda key: (key.set_at, key.id), default=None)
    return ProviderRecord(
        id=row.id,
        name=row.name,
        kind=row.kind,
        base_url=row.base_url,
        sealed_key=newest.sealed if newest is not None else "",
        options=tuple(sorted(row.options.items())),
    )


def _withdraw_unknown(digests: set[str], now: datetime) -> None:
    """Delete published keys that are not usable. Each is looked up once more: it may have been born meanwhile."""
    prefix = key_name("")
    published = (name.decode().removeprefix(prefix) for name in control().scan_iter(f"{prefix}*", count=1000))
    for batch in _batches(digest for digest in published if digest not in digests):
        born = {facts.digest for facts in usable_key_facts(now) if facts.digest in set(batch)}
        for digest in set(batch) - born:
            control().delete(key_name(digest))


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
