"""A tenant's data key: made with its schema, opened for the storage fence, destroyed with the tenant."""

from __future__ import annotations

from datetime import datetime

from core.crypto import WrappedKey, new_data_key, unwrap_key
from tenants.errors import TenantNotFound
from tenants.models import TenantDataKey


def _context(tenant_id: str) -> str:
    """What the wrapping is bound to: table, row and field. The version is added by core.crypto."""
    return f"tenants_tenantdatakey|{tenant_id}|wrapped"


def make_data_key(*, tenant_id: str, now: datetime) -> TenantDataKey:
    """A fresh key for a tenant that has none."""
    made = new_data_key(context=_context(tenant_id))
    return TenantDataKey.objects.create(
        tenant_id=tenant_id, wrapped=made.sealed, kek_version=made.version, created_at=now
    )


def data_key_of(tenant_id: str) -> bytes:
    """The key itself, never to be stored. Raises TenantNotFound when it was destroyed, SealBroken."""
    row = TenantDataKey.objects.filter(pk=tenant_id).first()
    if row is None:
        raise TenantNotFound("This tenant's data key is destroyed")
    return unwrap_key(WrappedKey(row.kek_version, bytes(row.wrapped)), context=_context(tenant_id))


def destroy_data_key(*, tenant_id: str) -> bool:
    """Delete the only copy of the wrapped key; False when it was gone already."""
    deleted, _ = TenantDataKey.objects.filter(pk=tenant_id).delete()
    return deleted > 0
