"""A tenant's data key: made with its schema, opened for the storage fence, destroyed with the tenant."""

from __future__ import annotations

from datetime import datetime

from core.crypto import WrappedKey, new_data_key, place, seal_under, unseal_under, unwrap_key, wrap_key
from core.tenancy import platform_scope
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
    """The key itself, never to be stored. Raises TenantNotFound when it was destroyed, SealBroken, Sealed."""
    with platform_scope():
        row = TenantDataKey.objects.filter(pk=tenant_id).first()
    if row is None:
        raise TenantNotFound("This tenant's data key is destroyed")
    return unwrap_key(WrappedKey(row.kek_version, bytes(row.wrapped)), context=_context(tenant_id))


def seal_for_tenant(plaintext: str, *, tenant_id: str, table: str, row: str, field: str) -> str:
    """Seal a field of the tenant's own under its data key: once that is destroyed, or elsewhere, it does not open."""
    return seal_under(data_key_of(tenant_id), plaintext, context=place(table, row, field, tenant_id))


def unseal_for_tenant(sealed: str, *, tenant_id: str, table: str, row: str, field: str) -> str:
    """The plain text; raises TenantNotFound, SealBroken and Sealed."""
    return unseal_under(data_key_of(tenant_id), sealed, context=place(table, row, field, tenant_id))


def wrap_anew(row: TenantDataKey, version: int) -> None:
    """Under that version of the master key; the data key itself, and what is sealed with it, stay."""
    context = _context(row.tenant_id)
    key = unwrap_key(WrappedKey(row.kek_version, bytes(row.wrapped)), context=context)
    made = wrap_key(key, context=context, version=version)
    row.wrapped, row.kek_version = made.sealed, made.version
    row.save(update_fields=["wrapped", "kek_version"])


def destroy_data_key(*, tenant_id: str) -> bool:
    """Delete the only copy of the wrapped key; False when it was gone already."""
    deleted, _ = TenantDataKey.objects.filter(pk=tenant_id).delete()
    return deleted > 0
