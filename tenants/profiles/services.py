"""Every write of profiles: what a type grants, overrides of one tenant, and a tenant's type."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from audit.api import SYSTEM, Actor, emit, record
from core.errors import InvalidInput
from core.faults import fault_point
from tenants.data import (
    OverrideFacts,
    ProfileChanged,
    ProfileField,
    ProfileValue,
    TenantChanged,
    TenantStatus,
    TenantType,
)
from tenants.errors import OverrideNotFound, ProfileValueNotUsable, TenantNotFound, WrongStatus
from tenants.models import ProfileOverride, Tenant, TenantTypeProfile
from tenants.profiles.built_in import BUILT_IN
from tenants.profiles.effective import override_facts, stored_values
from tenants.profiles.values import NEVER_OVERRIDDEN, checked_value, counts
from tenants.webhooks.announce import announce, announce_to_many
from tenants.webhooks.data import EventName

_OVER_AT_ONCE = 500
_TOLD = {
    "tenants.override_value": "set",
    "tenants.override_begins": "began",
    "tenants.override_ends": "ended",
    "tenants.revoke_override": "revoked",
}


def set_profile_fields(
    *, tenant_type: TenantType, values: Mapping[ProfileField, object], acting: Actor, now: datetime
) -> bool:
    """Change what a type of tenant grants; every process obeys within seconds. False when it was so already.

    Raises ProfileValueNotUsable with the fields at fault.
    """
    checked = _all_checked(values)
    with transaction.atomic():
        row, _ = TenantTypeProfile.objects.select_for_update().get_or_create(
            tenant_type=tenant_type, defaults={field.value: value for field, value in BUILT_IN[tenant_type].items()}
        )
        before = stored_values(row)
        changed = {field: value for field, value in checked.items() if value != before[field]}
        if not changed:
            return False
        _check_replicas({**before, **changed})
        for field, value in changed.items():
            setattr(row, field.value, list(value) if isinstance(value, tuple) else value)
        row.version, row.changed_at = row.version + 1, now
        row.save()
        old = {field.value: before[field] for field in changed}
        new = {field.value: value for field, value in changed.items()}
        record("tenants.set_profile", actor=acting, tenant_id=None, target=tenant_type.value, before=old, after=new)
        emit(ProfileChanged(tenant_type.value))
        for field in changed.keys() - NEVER_OVERRIDDEN:
            _tell_tenants(tenant_type, field, new[field.value], now)
    return True


def override_value(
    *,
    tenant_id: str,
    field: ProfileField,
    value: object,
    reason: str,
    acting: Actor,
    now: datetime,
    valid_from: datetime | None = None,
    expires_at: datetime | None = None,
) -> OverrideFacts:
    """Give a tenant a value of its own, from now or `valid_from` on, for good or until `expires_at`.

    Where several overrides of a field count at a time, this one decides, being the last. Raises TenantNotFound,
    ProfileValueNotUsable, InvalidInput.
    """
    if field in NEVER_OVERRIDDEN:
        raise ProfileValueNotUsable(fields={field.value: ["matters when a tenant is created, so it has no overrides"]})
    checked = checked_value(field, value)
    starts = max(valid_from or now, now)
    _check_terms(reason, starts, expires_at, now)
    with transaction.atomic():
        tenant = _locked(tenant_id)
        row = ProfileOverride.objects.create(
            tenant=tenant,
            field=field,
            value=list(checked) if isinstance(checked, tuple) else checked,
            reason=reason.strip()[:300],
            set_by=acting.label[:200],
            created_at=now,
            valid_from=starts,
            expires_at=expires_at,
            is_announced=starts <= now,
        )
        _tell("tenants.override_value", tenant, row, acting, now, reason=row.reason)
        if row.is_announced:
            emit(TenantChanged(tenant.id, tenant.status))
    return override_facts(row)


def revoke_override(*, override_id: str, reason: str, acting: Actor, now: datetime) -> OverrideFacts:
    """End an override before its time, or before it began; an older one of the field or the type decides again.

    Raises OverrideNotFound for one that is over, InvalidInput without a reason.
    """
    if not reason.strip():
        raise InvalidInput("Revoking needs a reason", fields={"reason": ["must not be empty"]})
    with transaction.atomic():
        row = ProfileOverride.objects.select_for_update().filter(pk=override_id, revoked_at=None).first()
        if row is None or (row.expires_at is not None and row.expires_at <= now):
            raise OverrideNotFound()
        row.revoked_at, row.revoked_by, row.is_announced = now, acting.label[:200], False
        row.save(update_fields=["revoked_at", "revoked_by", "is_announced"])
        _tell("tenants.revoke_override", row.tenant, row, acting, now, reason=reason.strip()[:300])
        emit(TenantChanged(row.tenant_id, row.tenant.status))
    return override_facts(row)


def announce_overrides(*, now: datetime, limit: int = _OVER_AT_ONCE) -> int:
    """Tell the other rooms of overrides that began or ended since the last call; returns how many did.

    Reading takes account of the dates by itself; what others published from it does not. Safe in parallel.
    """
    with transaction.atomic():
        live = Q(expires_at=None) | Q(expires_at__gt=now)
        begun = Q(is_announced=False, revoked_at=None, valid_from__lte=now) & live
        rows = list(
            ProfileOverride.objects.select_related("tenant")
            .select_for_update(skip_locked=True, of=("self",))
            .filter(begun | Q(is_announced=True, expires_at__lte=now))
            .order_by("id")[:limit]
        )
        for row in rows:
            row.is_announced = counts(override_facts(row), now)
            action = "tenants.override_begins" if row.is_announced else "tenants.override_ends"
            _tell(action, row.tenant, row, SYSTEM, now)
        ProfileOverride.objects.bulk_update(rows, ["is_announced"])
        fault_point("tenants.overrides.noted")
        for tenant_id, status in {row.tenant_id: row.tenant.status for row in rows}.items():
            emit(TenantChanged(tenant_id, status))
    return len(rows)


def set_tenant_type(*, tenant_id: str, tenant_type: TenantType, reason: str, acting: Actor, now: datetime) -> Tenant:
    """Make a tenant one of another type: quotas and profile of that type hold on all processes within seconds.

    Its plan and its overrides stay. Raises TenantNotFound, WrongStatus, InvalidInput without a reason.
    """
    if not reason.strip():
        raise InvalidInput("Another type needs a reason", fields={"reason": ["must not be empty"]})
    with transaction.atomic():
        tenant = _locked(tenant_id)
        before = tenant.type
        if before == tenant_type:
            return tenant
        record(
            "tenants.set_type",
            actor=acting,
            tenant_id=tenant.id,
            target=tenant.public_id,
            reason=reason.strip()[:300],
            before={"type": before},
            after={"type": tenant_type.value},
        )
        tenant.type = tenant_type
        tenant.save(update_fields=["type"])
        emit(TenantChanged(tenant.id, tenant.status))
        told = {"from": before, "to": tenant_type.value}
        announce(tenant_id=tenant.id, event=EventName.TENANT_TYPE_CHANGED, data=told, now=now)
    return tenant


def _locked(tenant_id: str) -> Tenant:
    tenant: Tenant | None = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    if tenant.status in (TenantStatus.DELETING, TenantStatus.DELETED):
        raise WrongStatus(f"A tenant that is {tenant.get_status_display()} is not changed any more")
    return tenant


def _all_checked(values: Mapping[ProfileField, object]) -> dict[ProfileField, ProfileValue]:
    """Every value, or every complaint at once."""
    checked: dict[ProfileField, ProfileValue] = {}
    faults: dict[str, list[str]] = {}
    for field, value in values.items():
        try:
            checked[field] = checked_value(field, value)
        except ProfileValueNotUsable as error:
            faults.update({name: list(messages) for name, messages in error.fields.items()})
    if faults:
        raise ProfileValueNotUsable(fields=faults)
    return checked


def _check_replicas(values: Mapping[ProfileField, ProfileValue]) -> None:
    least, most = values[ProfileField.MIN_REPLICAS], values[ProfileField.MAX_REPLICAS]
    assert isinstance(least, int)
    assert isinstance(most, int)
    if least > most:
        raise ProfileValueNotUsable(fields={ProfileField.MIN_REPLICAS.value: [f"is not above {most}, the most"]})


def _check_terms(reason: str, starts: datetime, expires_at: datetime | None, now: datetime) -> None:
    faults = {}
    if not reason.strip():
        faults["reason"] = ["must not be empty"]
    if expires_at is not None and expires_at <= max(starts, now):
        faults["expires_at"] = ["must be later than its beginning, and than now"]
    if faults:
        raise InvalidInput("An override needs a reason, and ends after it begins", fields=faults)


def _tell_tenants(tenant_type: TenantType, field: ProfileField, value: object, now: datetime) -> None:
    """Those of the type whose value it is, because they have none of their own at present."""
    own = ProfileOverride.objects.filter(Q(expires_at=None) | Q(expires_at__gt=now), field=field, revoked_at=None)
    rows = Tenant.objects.filter(type=tenant_type).exclude(status__in=[TenantStatus.DELETING, TenantStatus.DELETED])
    concerned = rows.exclude(pk__in=own.filter(valid_from__lte=now).values("tenant_id")).values_list("pk", flat=True)
    told = {"what": "type", "override": None, "field": field.value, "value": value, "from": now.isoformat()}
    announce_to_many(concerned, event=EventName.PROFILE_CHANGED, data={**told, "until": None}, now=now)


def _tell(action: str, tenant: Tenant, row: ProfileOverride, acting: Actor, now: datetime, *, reason: str = "") -> None:
    """In the log with the operator's reason, and to the tenant's endpoints without it."""
    detail = {
        "override": row.public_id,
        "field": row.field,
        "value": row.value,
        "from": row.valid_from.isoformat(),
        "until": row.expires_at.isoformat() if row.expires_at else None,
    }
    record(action, actor=acting, tenant_id=tenant.id, target=tenant.public_id, reason=reason, detail=detail)
    told = {"what": _TOLD[action], **detail}
    announce(tenant_id=tenant.id, event=EventName.PROFILE_CHANGED, data=told, now=now)
