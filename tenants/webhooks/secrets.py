"""Secrets of endpoints; owns how one is kept: sealed by the tenant's own data key, bound to the endpoint, and in clear
only where it is made and where it signs."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.crypto import SealBroken
from tenants.services.data_keys import data_key_of, seal_for_tenant, unseal_for_tenant

_TABLE, _FIELD = "workspace_webhook_endpoint", "secrets"
_NONCE = 12  # of the form before `t1.`, which was the same cipher with the parts of its context in another order


def new_secret() -> str:
    """`whsec_` and 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def seal_secret(secret: str, *, tenant_id: str, endpoint_id: str) -> str:
    return seal_for_tenant(secret, tenant_id=tenant_id, table=_TABLE, row=endpoint_id, field=_FIELD)


def open_secret(sealed: str, *, tenant_id: str, endpoint_id: str) -> str:
    """Raises SealBroken for one of another tenant or endpoint, TenantNotFound, and Sealed."""
    if is_older_form(sealed):
        return _open_older(sealed, tenant_id, endpoint_id)
    return unseal_for_tenant(sealed, tenant_id=tenant_id, table=_TABLE, row=endpoint_id, field=_FIELD)


def is_older_form(sealed: str) -> bool:
    """Whether it was sealed before endpoints' secrets had the form of all that is a tenant's."""
    return "." not in sealed


def _open_older(sealed: str, tenant_id: str, endpoint_id: str) -> str:
    context = f"{_TABLE}|{endpoint_id}|{_FIELD}|{tenant_id}".encode()
    try:
        raw = base64.b64decode(sealed)
        return AESGCM(data_key_of(tenant_id)).decrypt(raw[:_NONCE], raw[_NONCE:], context).decode()
    except (InvalidTag, ValueError) as error:
        raise SealBroken() from error


def valid_secrets(stored: list[dict[str, Any]], now: datetime) -> list[str]:
    """The sealed ones that sign now: of two, the older one until its end."""
    return [one["sealed"] for one in stored if not one["until"] or datetime.fromisoformat(one["until"]) > now]
