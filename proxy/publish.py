"""Puts the configuration where gateways read it, and tells them what changed; owns what is in Redis under `gw`.

A record and its change number are written in one step, so that a gateway that knows the number has seen the record.
What is written was read under one lock that all publishers take: else a slow one could put back what a quick one has
withdrawn, and a revoked key would live on. PostgreSQL stays the truth: `republish_all` makes everything again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import TypeVar

import structlog
from django.db import connection, transaction

from billing.api import NoSubscription, price_sheet
from core.ids import new_ulid
from core.networks import networks_of
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
    server_name,
    tenant_name,
)
from quotas.api import EffectiveLimits, effective_limits, limits_of_key
from tenants.api import (
    KeyFacts,
    TenantFacts,
    TenantNotFound,
    TenantStatus,
    all_tenant_facts,
    digests_of_tenant,
    effective_profile,
    key_facts_by_id,
    key_facts_by_ids,
    known_fingerprints,
    tenant_by_id,
    tenant_facts,
    usable_key_facts,
)

log = structlog.get_logger(__name__)
T = TypeVar("T")
_CHANGES_KEPT = 10_000
_BATCH = 500
_LOCK = 7_052_021  # advisory lock: one publisher reads and writes at a time, held for a batch at most
_GONE = frozenset({TenantStatus.ARCHIVED, TenantStatus.DELETING})

# KEYS: record, sequence, changes. ARGV: kind, id, record ("" deletes it), how many changes to keep.
_ANNOUNCE = """
if KEYS[1] ~= '' then
  if ARGV[3] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[3]) end
end
local n = redis.call('INCR', KEYS[2])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'kind', ARGV[1], 'id', ARGV[2], 'n', n)
return n
"""


@contextmanager
def _alone() -> Iterator[None]:
    """Read committed rows and publish them while nobody else does; any death ends the lock."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        yield


def publish_key(key_id: str, now: datetime) -> None:
    """Publish a key, or withdraw it when it is revoked or expired. Raises KeyNotFound."""
    with _alone():
        facts = key_facts_by_id(key_id)
        record = _key_record(facts).to_json() if _is_usable(facts, now) else b""
        _announce(key_name(facts.digest), "key", facts.digest, record)


def publish_tenant(tenant_id: str, now: datetime) -> None:
    """Publish a tenant with limits and prices, or withdraw one that is archived, to be deleted, or unknown."""
    with _alone():
        _announce(tenant_name(tenant_id), "tenant", tenant_id, _tenant_json(tenant_id, now))


def _tenant_json(tenant_id: str, now: datetime) -> bytes:
    try:
        facts = tenant_facts(tenant_by_id(tenant_id))
    except TenantNotFound:
        return b""
    if facts.status in _GONE:
        return b""
    return _tenant_record(facts, effective_limits(tenant_id, now=now), now).to_json()


def withdraw_tenant(tenant_id: str) -> int:
    """Withdraw a tenant and every key that it ever had, whatever their rows say; returns how many keys."""
    with _alone():
        digests = digests_of_tenant(tenant_id)
        for digest in digests:
            _announce(key_name(digest), "key", digest, b"")
        _announce(tenant_name(tenant_id), "tenant", tenant_id, b"")
    return len(digests)


def withdraw_key(digest: str) -> None:
    """Withdraw a key whose row is gone."""
    with _alone():
        _announce(key_name(digest), "key", digest, b"")


def publish_tenants(now: datetime, *, of_type: str = "") -> None:
    """Publish every tenant, or every one of a type: what many share has changed."""
    for facts in all_tenant_facts():
        if of_type in ("", facts.type):
            publish_tenant(facts.id, now)


def publish_catalogue() -> None:
    """Publish all enabled providers and models."""
    with _alone():
        _announce(catalogue_name(), "catalogue", "", _catalogue_record().to_json())


def republish_all(now: datetime) -> int:
    """Write every record anew, withdraw what is no longer true, and make gateways forget; returns the key count."""
    server = _server()
    digests: set[str] = set()
    for batch in _batches(usable_key_facts(now)):
        digests.update(_publish_keys([facts.id for facts in batch], now))
    _withdraw_unknown(digests, now)
    publish_tenants(now)
    publish_catalogue()
    control().mset({epoch_name(): new_ulid(), server_name(): server})
    _announce("", "all", "", b"")
    log.info("proxy.publish.all", keys=len(digests))
    return len(digests)


def _publish_keys(key_ids: list[str], now: datetime) -> set[str]:
    """Write those keys that are usable still; returns their digests."""
    with _alone():
        usable = [facts for facts in key_facts_by_ids(key_ids) if _is_usable(facts, now)]
        if usable:
            control().mset({key_name(facts.digest): _key_record(facts).to_json() for facts in usable})
    return {facts.digest for facts in usable}


def _is_usable(facts: KeyFacts, now: datetime) -> bool:
    ends = facts.expires_at_ms
    return not facts.revoked and (ends is None or ends > now.timestamp() * 1000)


def ensure_published(now: datetime) -> bool:
    """Republish when Redis lost its memory; True when that was needed. One process at a time does it.

    A server that was started anew may have lost its last seconds, and a revocation with them: then all is published
    again, although the epoch is there.
    """
    redis = control()
    epoch, server = redis.mget(epoch_name(), server_name())
    if (epoch and server == _server()) or not redis.set(key("gw", "publishing"), "1", nx=True, ex=30):
        return False
    try:
        republish_all(now)
    finally:
        redis.delete(key("gw", "publishing"))
    return True


def _server() -> bytes:
    """Which run of the Redis server this is; another one after each of its starts."""
    return str(control().info("server")["run_id"]).encode()


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
        networks=networks_of(facts.networks),
    )


def _tenant_record(facts: TenantFacts, limits: EffectiveLimits, now: datetime) -> TenantRecord:
    try:
        prices = price_sheet(facts.id, now)
    except NoSubscription:
        prices = None  # nothing is sold to a tenant without a plan
    profile = effective_profile(facts.id, now=now)
    return TenantRecord(
        id=facts.id,
        slug=facts.slug,
        status=facts.status,
        limits=limits,
        prices=prices,
        models=profile.allowed_models,
        failure_policy=profile.failure_policy,
        networks=networks_of(facts.networks),
        portal_networks=networks_of(facts.portal_networks),
    )


def _catalogue_record() -> CatalogueRecord:
    providers = Provider.objects.filter(enabled=True).prefetch_related("keys").order_by("name")
    models = Model.objects.filter(enabled=True, provider__enabled=True).select_related("provider").order_by("name")
    return CatalogueRecord(
        master_keys=tuple(sorted(known_fingerprints().items())),
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
        with _alone():
            born = {facts.digest for facts in usable_key_facts(now) if facts.digest in set(batch)}
            for digest in set(batch) - born:
                control().delete(key_name(digest))


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
