"""What the installation has, in the words of a configuration file; reads what the rooms offer, writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from billing.api import NoSubscription, model_costs, plan_offers, subscription_facts
from lumos_site.configuration.document import (
    CostEntry,
    Document,
    HostEntry,
    KeyEntry,
    LimitEntry,
    LimitWord,
    ModelEntry,
    OverrideEntry,
    PlanEntry,
    PoolEntry,
    ProviderEntry,
    ScalingEntry,
    Secret,
    TenantEntry,
    TypeEntry,
    WantedStatus,
)
from proxy.api import all_models, all_providers
from quotas.api import Dimension, SetLimit, StoredLimits, stored_limits
from scaling.api import POLICY_FIELDS, Mode, ScalingPolicy
from tenants.api import (
    ApiKey,
    Membership,
    ProfileField,
    Role,
    TenantFacts,
    TenantStatus,
    TenantType,
    all_pools,
    all_profiles,
    all_tenant_facts,
    configuration_of,
    live_overrides,
)


@dataclass(frozen=True, slots=True)
class Current:
    """The installation as a document, and the ids that a document does not carry."""

    document: Document
    tenant_ids: dict[str, str] = field(default_factory=dict)
    key_ids: dict[tuple[str, str], str] = field(default_factory=dict)


def read_current(now: datetime) -> Current:
    """Everything; of the queries only two a tenant are made for each, for its contract and its settings."""
    tenants = [facts for facts in all_tenant_facts() if facts.status != TenantStatus.ARCHIVED]
    keys, limits = _keys(), stored_limits()
    return Current(
        document=Document(
            pools=tuple(_pools()),
            hosts=_hosts({facts.id: facts.slug for facts in tenants}),
            providers=tuple(_providers()),
            models=tuple(_models(now)),
            plans=tuple(_plans(limits)),
            tenant_types=tuple(_types(limits)),
            tenants=tuple(_tenants(tenants, keys, limits, now)),
        ),
        tenant_ids={facts.slug: facts.id for facts in tenants},
        key_ids={(facts.slug, name): key.id for facts in tenants for name, key in keys[facts.id].items()},
    )


def variable_for(provider: str, key: str) -> str:
    """The environment variable in which an exported file expects a provider's key."""
    words = [provider] if key == "main" else [provider, key]
    name = "_".join("".join(c if c.isascii() and c.isalnum() else "_" for c in word) for word in words)
    return f"{'_' if name[:1].isdigit() else ''}{name.upper()}_API_KEY"


def _pools() -> list[PoolEntry]:
    return [
        PoolEntry(pool.region, pool.name, pool.kind, pool.capacity, pool.oversubscription, pool.accepting)
        for pool in all_pools()
    ]


def _hosts(slugs: Mapping[str, str]) -> tuple[HostEntry, ...]:
    """Those that one of these tenants has for itself; what is archived is in no file."""
    taken = {(pool.region, pool.name): pool.reserved_for for pool in all_pools() if pool.reserved_for in slugs}
    return tuple(HostEntry(region, name, slugs[tenant_id]) for (region, name), tenant_id in taken.items())


def _providers() -> list[ProviderEntry]:
    return [
        ProviderEntry(
            name=facts.name,
            kind=facts.kind.value,
            base_url=facts.base_url,
            enabled=facts.enabled,
            options=dict(facts.options),
            keys={key.name: Secret("", variable_for(facts.name, key.name)) for key in facts.keys},
        )
        for facts in all_providers()
    ]


def _models(now: datetime) -> list[ModelEntry]:
    costs = {
        (cost.provider, cost.model): CostEntry(cost.currency, cost.input_token, cost.cached_token, cost.output_token)
        for cost in model_costs(now)
    }
    return [
        ModelEntry(
            name=facts.name,
            provider=facts.provider,
            upstream_name=facts.upstream_name,
            kinds=tuple(str(kind) for kind in facts.kinds),
            context=facts.context,
            max_output=facts.max_output,
            default_output=facts.default_output,
            enabled=facts.enabled,
            cost=costs.get((facts.provider, facts.name)),
        )
        for facts in all_models()
    ]


def _plans(limits: StoredLimits) -> list[PlanEntry]:
    return [
        PlanEntry(
            code=offer.code,
            name=offer.name,
            description=offer.description,
            tenant_types=tuple(TenantType(name) for name in offer.tenant_types),
            currency=offer.currency,
            monthly_fee=offer.monthly_fee,
            prices=offer.prices,
            limits=_limits(limits.of_plans.get(offer.code, {})),
        )
        for offer in plan_offers()
    ]


def _types(limits: StoredLimits) -> list[TypeEntry]:
    profiles = all_profiles()
    return [TypeEntry(kind, _limits(limits.of_types.get(kind, {})), profiles[kind]) for kind in TenantType]


def _limits(given: Mapping[Dimension, SetLimit]) -> tuple[LimitEntry, ...]:
    """In the order in which dimensions are listed everywhere."""
    return tuple(
        LimitEntry(
            dimension,
            LimitWord.UNLIMITED if limit.value is None else limit.value,
            limit.hard,
            limit.expires_at,
            limit.reason or None,
        )
        for dimension in Dimension
        if (limit := given.get(dimension))
    )


def _keys() -> dict[str, dict[str, ApiKey]]:
    """Keys that are not revoked, by tenant and name; of two with one name, the newest."""
    found: dict[str, dict[str, ApiKey]] = defaultdict(dict)
    for key in ApiKey.objects.filter(revoked_at=None).order_by("created_at", "id"):
        found[key.tenant_id][key.name] = key
    return found


def _tenants(
    facts: list[TenantFacts], keys: dict[str, dict[str, ApiKey]], limits: StoredLimits, now: datetime
) -> list[TenantEntry]:
    members: dict[str, dict[str, Role]] = defaultdict(dict)
    for membership in Membership.objects.select_related("user").order_by("id"):
        members[membership.tenant_id][membership.user.username] = Role(membership.role)
    overrides = _overrides(now)
    policies = {policy.tenant_id: policy for policy in ScalingPolicy.objects.all()}
    return [
        TenantEntry(
            slug=tenant.slug,
            name=tenant.name,
            type=tenant.type,
            plan=_plan_of(tenant, now),
            region=tenant.region,
            status=WantedStatus.SUSPENDED if tenant.status == TenantStatus.SUSPENDED else WantedStatus.ACTIVE,
            networks=tenant.networks,
            portal_networks=tenant.portal_networks,
            members=members[tenant.id],
            keys=tuple(_key(key) for key in keys[tenant.id].values()),
            limits=_limits(limits.of_tenants.get(tenant.id, {})),
            overrides=tuple(overrides[tenant.id][of] for of in ProfileField if of in overrides[tenant.id]),
            scaling=_scaling(policies.get(tenant.id)),
            settings=configuration_of(tenant.id).own_values(),
        )
        for tenant in sorted(facts, key=lambda tenant: tenant.slug)
    ]


def _overrides(now: datetime) -> dict[str, dict[ProfileField, OverrideEntry]]:
    """Of each tenant and field the newest override that is not over, by tenant."""
    found: dict[str, dict[ProfileField, OverrideEntry]] = defaultdict(dict)
    for row in live_overrides(now=now):
        entry = OverrideEntry(row.field, row.value, row.reason, row.valid_from, row.expires_at, row.valid_from <= now)
        found[row.tenant_id].setdefault(row.field, entry)
    return found


def _plan_of(tenant: TenantFacts, now: datetime) -> str | None:
    try:
        return subscription_facts(tenant.id, now).plan_code
    except NoSubscription:
        return None


def _key(key: ApiKey) -> KeyEntry:
    return KeyEntry(
        name=key.name,
        live=key.live,
        scopes=tuple(key.scopes),
        models=tuple(key.allowed_models),
        requests_per_minute=key.requests_per_minute,
        tokens_per_minute=key.tokens_per_minute,
        expires_at=key.expires_at.astimezone(UTC) if key.expires_at else None,
        networks=tuple(key.allowed_networks),
    )


def _scaling(policy: ScalingPolicy | None) -> ScalingEntry | None:
    if policy is None:
        return None
    values = {name: getattr(policy, name) for name in POLICY_FIELDS}
    return ScalingEntry(**{**values, "queue_target": policy.queue_target or 0, "mode": Mode(policy.mode)})
