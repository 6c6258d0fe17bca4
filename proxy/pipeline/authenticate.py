"""Who is asking: finds the key behind the credential and its tenant; owns no permission.

Unknown, revoked and expired look the same from outside. A known key costs no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.errors import CredentialRefused, GatewaySealed, NotReady, TooManyCredentials
from proxy.tokens import PREFIX, read_browser_token
from tenants.api import TenantStatus

if TYPE_CHECKING:
    from proxy.exchange import Exchange, Headers
    from proxy.gateway import Gateway

_BEARER = b"bearer "
_CARRIERS = frozenset({b"authorization", b"x-api-key", b"api-key"})
_GONE = frozenset(TenantStatus) - {TenantStatus.ACTIVE, TenantStatus.SUSPENDED}


async def identify(exchange: Exchange, gateway: Gateway) -> None:
    """Sets key and tenant. Raises CredentialRefused, TooManyCredentials, Unavailable."""
    if not gateway.tail.attached:
        raise NotReady(retry_after_ms=1000)  # a revocation might not reach us, so nobody is known
    if gateway.catalogue.sealed:
        raise GatewaySealed()  # before anybody is looked up: with the secrets file, all keys' pepper may be gone too
    token = credential(exchange.headers)
    if token.startswith(PREFIX):
        key = read_browser_token(token, exchange.occurred_at_ms)
    else:
        key = await gateway.directory.key(token)
    if key.expires_at_ms is not None and key.expires_at_ms <= exchange.occurred_at_ms:
        raise CredentialRefused()
    tenant = await gateway.directory.tenant(key.tenant_id)
    if tenant is None or tenant.status in _GONE:
        raise CredentialRefused()
    exchange.key, exchange.tenant = key, tenant


def credential(headers: Headers) -> str:
    """The one credential of a request, wherever clients put it."""
    found = {_bare(value) for name, value in headers if name in _CARRIERS}
    found.discard(b"")
    if len(found) > 1:
        raise TooManyCredentials()
    if not found:
        raise CredentialRefused()
    try:
        return found.pop().decode("ascii")
    except UnicodeDecodeError as error:
        raise CredentialRefused() from error


def _bare(value: bytes) -> bytes:
    return value[7:].strip() if value[:7].lower() == _BEARER else value.strip()
