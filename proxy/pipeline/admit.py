"""May they: their address, tenant's state, the key's scope, and rates of tenant and key as far as one process knows.

The exact tenant and key limits are decided with the reservation, in Redis. The rates here only refuse what is far
past them, so that one tenant's flood costs the others no round trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import AddressNotAllowed, LayerLimited, ScopeMissing, TenantSuspended
from tenants.api import Scope, TenantStatus

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.gateway import Gateway
    from proxy.gcra import Gcra

_NS_PER_MS = 1_000_000


async def check_rights(exchange: Exchange, gateway: Gateway) -> None:
    """Raises AddressNotAllowed, TenantSuspended, ScopeMissing, LayerLimited."""
    key, tenant = exchange.key, exchange.tenant
    assert key is not None
    assert tenant is not None
    if not key.may_come_from(exchange.ip, tenant):
        raise AddressNotAllowed(f"This credential may not be used from the address {exchange.ip}")
    if tenant.status == TenantStatus.SUSPENDED:
        raise TenantSuspended()
    if Scope.INFERENCE not in key.scopes:
        raise ScopeMissing()
    _check_rate(tenant.shield, "tenant", exchange.started_ns)
    _check_rate(key.shield, "key", exchange.started_ns)


def _check_rate(shield: Gcra | None, layer: str, now: int) -> None:
    wait = shield.wait("", now) if shield is not None else 0
    if wait:
        raise LayerLimited(
            f"This {layer} sends far more requests a minute than its limit",
            code=f"{layer}_rate_limit_exceeded",
            retry_after_ms=-(-wait // _NS_PER_MS),
        )
