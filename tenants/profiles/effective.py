"""Reads of profiles and overrides: what a type grants, what one tenant has instead, what holds and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Q

from tenants.data import EffectiveProfile, OverrideFacts, ProfileField, ProfileValue, TenantType
from tenants.errors import TenantNotFound
from tenants.models import ProfileOverride, Tenant, TenantTypeProfile
from tenants.profiles.built_in import BUILT_IN
from tenants.profiles.values import checked_value, resolve


def effective_profile(tenant_id: str, *, now: datetime) -> EffectiveProfile:
    """All that holds for a tenant at `now`, and where each value comes from; raises TenantNotFound."""
    found = effective_profiles([tenant_id], now=now)
    if tenant_id not in found:
        raise TenantNotFound()
    return found[tenant_id]


def effective_profiles(tenant_ids: Collection[str], *, now: datetime) -> dict[str, EffectiveProfile]:
    """The same for many tenants in three queries; ids of no tenant are left out."""
    types = dict(Tenant.objects.filter(pk__in=tenant_ids).values_list("pk", "type"))
    profiles = {kind: _values(kind, stored) for kind, stored in _stored(set(types.values())).items()}
    overrides: dict[str, list[OverrideFacts]] = {}
    for facts in live_overrides(tenant_ids, now=now):
        overrides.setdefault(facts.tenant_id, []).append(facts)
    return {
        tenant_id: resolve(tenant_id, TenantType(kind), profiles[TenantType(kind)], overrides.get(tenant_id, ()), now)
        for tenant_id, kind in types.items()
    }


def profile_values(tenant_type: TenantType) -> dict[ProfileField, ProfileValue]:
    """What that type of tenant grants; the built-in profile where nobody stored one."""
    return _values(tenant_type, _stored({tenant_type})[tenant_type])


def all_profiles() -> dict[TenantType, dict[ProfileField, ProfileValue]]:
    """What every type of tenant grants, in one query."""
    return {kind: _values(kind, stored) for kind, stored in _stored(set(TenantType)).items()}


def live_overrides(tenant_ids: Collection[str] | None = None, *, now: datetime) -> list[OverrideFacts]:
    """The overrides that are neither revoked nor over, of those tenants or (None) of all; newest first."""
    rows = ProfileOverride.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)
    if tenant_ids is not None:
        rows = rows.filter(tenant_id__in=tenant_ids)
    return [override_facts(row) for row in rows.order_by("-id")]


def override_facts(row: ProfileOverride) -> OverrideFacts:
    field = ProfileField(row.field)
    return OverrideFacts(
        id=row.id,
        tenant_id=row.tenant_id,
        field=field,
        value=checked_value(field, row.value),
        reason=row.reason,
        by=row.set_by,
        valid_from=row.valid_from,
        expires_at=row.expires_at,
    )


def _stored(kinds: Iterable[str]) -> dict[TenantType, TenantTypeProfile | None]:
    rows = {row.tenant_type: row for row in TenantTypeProfile.objects.filter(tenant_type__in=kinds)}
    return {TenantType(kind): rows.get(kind) for kind in kinds}


def _values(kind: TenantType, row: TenantTypeProfile | None) -> dict[ProfileField, ProfileValue]:
    if row is None:
        return dict(BUILT_IN[kind])
    return stored_values(row)


def stored_values(row: TenantTypeProfile) -> dict[ProfileField, ProfileValue]:
    return {field: checked_value(field, getattr(row, field.value)) for field in ProfileField}
