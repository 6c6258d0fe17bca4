"""Where a tenant's programs and people may come from, outside the gateway; raises, renders and stores nothing."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from core.networks import admits, networks_of
from tenants.errors import AddressNotAllowed
from tenants.models import ApiKey, Tenant


def check_key_address(key: ApiKey, address: str) -> None:
    """Programs: both the tenant's list and the key's own must let them in. Raises AddressNotAllowed."""
    _check(key.tenant.allowed_networks, address)
    _check(key.allowed_networks, address)


def check_portal_address(portal_networks: Sequence[str], address: str) -> None:
    """People, on the tenant's portal and with what they opened there. Raises AddressNotAllowed."""
    _check(portal_networks, address)


def portal_networks_of(tenant_id: str) -> list[str]:
    """As they are now: the tenant that a host stands for may be remembered from some seconds ago."""
    found: list[str] | None = Tenant.objects.filter(pk=tenant_id).values_list("portal_networks", flat=True).first()
    return found or []


def _check(entries: Sequence[str], address: str) -> None:
    if not admits(networks_of(tuple(entries)), address):
        raise AddressNotAllowed(
            _("Nobody may call from the address %(address)s.") % {"address": address},
            next_step=_("Call from one of the networks that the workspace allows, or have this one added."),
        )
