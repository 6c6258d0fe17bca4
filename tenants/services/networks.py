"""From where a tenant's programs and people may call; every change within a second in all processes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, emit, record
from core.errors import InvalidInput
from core.networks import admits, networks_of, read_networks
from tenants.data import KeyChanged, TenantChanged
from tenants.errors import KeyNotFound, TenantNotFound, WouldLockOut
from tenants.models import ApiKey, Tenant
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName


def checked_networks(entries: Sequence[str], field: str) -> list[str]:
    """The networks in their canonical spelling. Raises InvalidInput."""
    try:
        return list(read_networks(entries))
    except ValueError as error:
        raise InvalidInput(_("These are no networks."), fields={field: [str(error)]}) from error


@transaction.atomic
def set_tenant_networks(
    *,
    tenant_id: str,
    acting: Actor,
    now: datetime,
    networks: Sequence[str] | None = None,
    portal_networks: Sequence[str] | None = None,
    own_address: str = "",
) -> Tenant:
    """From where programs (`networks`) and people (`portal_networks`) may come; None leaves a list as it is.

    `own_address` is that of a member who would be shut out themselves; empty when nobody is, or when they insist.
    Raises InvalidInput, TenantNotFound, WouldLockOut.
    """
    tenant: Tenant | None = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    wanted: dict[str, list[str]] = {}
    if networks is not None:
        wanted["allowed_networks"] = checked_networks(networks, "networks")
    if portal_networks is not None:
        wanted["portal_networks"] = checked_networks(portal_networks, "portal_networks")
        _keep_open(wanted["portal_networks"], own_address, "portal_networks")
    before = {name: getattr(tenant, name) for name, value in wanted.items() if getattr(tenant, name) != value}
    if before:
        for name in before:
            setattr(tenant, name, wanted[name])
        tenant.save(update_fields=list(before))
        detail = {name: {"from": Personal(old), "to": Personal(wanted[name])} for name, old in before.items()}
        record("tenants.set_networks", actor=acting, tenant_id=tenant.id, target=tenant.public_id, detail=detail)
        emit(TenantChanged(tenant.id, tenant.status))
        told = {"networks": tenant.allowed_networks, "portal_networks": tenant.portal_networks, "by": acting.label}
        announce(tenant_id=tenant.id, event=EventName.NETWORKS_CHANGED, data=told, now=now)
    return tenant


@transaction.atomic
def set_key_networks(
    *, tenant_id: str, key_id: str, networks: Sequence[str], acting: Actor, now: datetime, own_address: str = ""
) -> ApiKey:
    """From where one key may be used, under its tenant's own list. `own_address` is that of the very key's caller.

    Raises InvalidInput, WouldLockOut, and KeyNotFound for another tenant's key too.
    """
    wanted = checked_networks(networks, "networks")
    _keep_open(wanted, own_address, "networks")
    key = ApiKey.objects.select_for_update().filter(pk=key_id, tenant_id=tenant_id).first()
    if key is None:
        raise KeyNotFound()
    if key.allowed_networks != wanted:
        told = {"name": key.name, "from": key.allowed_networks, "to": wanted}
        key.allowed_networks = wanted
        key.save(update_fields=["allowed_networks"])
        detail = {name: Personal(value) for name, value in told.items()}
        record("keys.set_networks", actor=acting, tenant_id=tenant_id, target=key.public_id, detail=detail)
        emit(KeyChanged(tenant_id, key.id, key.digest))
        told = {"key": key.public_id, "networks": wanted, "by": acting.label}
        announce(tenant_id=tenant_id, event=EventName.NETWORKS_CHANGED, data=told, now=now)
    return key


def _keep_open(wanted: list[str], own_address: str, field: str) -> None:
    if own_address and not admits(networks_of(tuple(wanted)), own_address):
        told = _("Your own address %(address)s is in none of these networks.") % {"address": own_address}
        raise WouldLockOut(told, fields={field: [told]}, next_step=_("Add it, or confirm that you mean it."))
