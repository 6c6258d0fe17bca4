"""The life of a tenant: created, suspended, resumed; each step a compare-and-set with an audit row and an event."""

from __future__ import annotations

import re
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction

from audit.api import Actor, emit, record
from core.errors import InvalidInput, StaleState
from core.ids import new_ulid
from tenants.data import TenantChanged, TenantStatus, TenantType
from tenants.errors import SlugNotUsable, SlugTaken, TenantNotFound, WrongStatus
from tenants.models import Domain, Tenant
from tenants.provisioning.schema import create_schema

_SLUG = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
RESERVED = frozenset({"www", "admin", "api", "app", "static", "status", "docs", "public", "lumos", "operator"})


def create_tenant(
    *,
    slug: str,
    name: str,
    type: TenantType,
    acting: Actor,
    now: datetime,
    plan: str = "",
    region: str = "local",
) -> Tenant:
    """A tenant with schema, role and portal address, active when this returns. All of it or nothing.

    Raises SlugNotUsable, SlugTaken and InvalidInput.
    """
    _check_input(slug, name)
    identifier = new_ulid()
    tenant = Tenant(
        id=identifier,
        schema_name=f"t_{identifier}",
        slug=slug,
        name=name.strip(),
        type=type,
        plan=plan,
        region=region,
        created_at=now,
    )
    try:
        _provision(tenant, acting)
    except IntegrityError as error:
        if "slug" in str(error) or "domain" in str(error):
            raise SlugTaken(fields={"slug": ["is taken"]}) from error
        raise
    return tenant


@transaction.atomic
def _provision(tenant: Tenant, acting: Actor) -> None:
    tenant.save(force_insert=True)
    Domain.objects.create(tenant=tenant, domain=f"{tenant.slug}.{settings.BASE_DOMAIN}", is_primary=True)
    create_schema(tenant.schema_name)
    tenant.status = TenantStatus.ACTIVE
    tenant.save(update_fields=["status"])
    record("tenants.create", actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail={"slug": tenant.slug})
    emit(TenantChanged(tenant.id, tenant.status))


def _check_input(slug: str, name: str) -> None:
    if _SLUG.fullmatch(slug) is None or slug in RESERVED:
        raise SlugNotUsable(fields={"slug": ["choose another"]})
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidInput("A tenant needs a name", fields={"name": ["must have 1 to 120 characters"]})


def suspend_tenant(*, tenant_id: str, reason: str, acting: Actor, now: datetime) -> Tenant:
    """Stop the tenant's traffic within 5 s; its data stays. A second call changes nothing."""
    if not reason.strip():
        raise InvalidInput("Suspending needs a reason", fields={"reason": ["must not be empty"]})
    return _move(tenant_id, TenantStatus.ACTIVE, TenantStatus.SUSPENDED, reason.strip()[:300], acting)


def resume_tenant(*, tenant_id: str, acting: Actor, now: datetime) -> Tenant:
    """Let the tenant's traffic flow again. A second call changes nothing."""
    return _move(tenant_id, TenantStatus.SUSPENDED, TenantStatus.ACTIVE, "", acting)


@transaction.atomic
def _move(tenant_id: str, old: TenantStatus, new: TenantStatus, reason: str, acting: Actor) -> Tenant:
    tenant: Tenant | None = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    if tenant.status == new:
        return tenant
    if tenant.status != old:
        raise WrongStatus(f"A tenant that is {tenant.get_status_display()} cannot become {new.title()}")
    if Tenant.objects.filter(pk=tenant.pk, status=old).update(status=new, status_reason=reason) != 1:
        raise StaleState()
    tenant.status, tenant.status_reason = new, reason
    action = "tenants.suspend" if new == TenantStatus.SUSPENDED else "tenants.resume"
    record(action, actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail={"reason": reason})
    emit(TenantChanged(tenant.id, new))
    return tenant


@transaction.atomic
def set_plan(*, tenant_id: str, plan: str, acting: Actor, now: datetime) -> Tenant:
    """Note the code of the plan that billing has subscribed the tenant to."""
    tenant: Tenant | None = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    if tenant.plan != plan:
        record(
            "tenants.set_plan",
            actor=acting,
            tenant_id=tenant.id,
            target=tenant.public_id,
            detail={"from": tenant.plan, "to": plan},
        )
        tenant.plan = plan
        tenant.save(update_fields=["plan"])
        emit(TenantChanged(tenant.id, tenant.status))
    return tenant


@transaction.atomic
def rename_tenant(*, tenant_id: str, name: str, acting: Actor, now: datetime) -> Tenant:
    """Change the display name; slug, schema and id stay."""
    tenant: Tenant | None = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidInput("A tenant needs a name", fields={"name": ["must have 1 to 120 characters"]})
    tenant.name = name.strip()
    tenant.save(update_fields=["name"])
    record(
        "tenants.rename",
        actor=acting,
        tenant_id=tenant.id,
        target=tenant.public_id,
        detail={"name": tenant.name},
    )
    emit(TenantChanged(tenant.id, tenant.status))
    return tenant
