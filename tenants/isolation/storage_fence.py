"""Checks of the storage fence: whose key opens what; seals a canary of its own and reads nobody's data."""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.utils.translation import gettext_lazy as _

from core.crypto import SealBroken, WrappedKey, unwrap_key
from core.master_keys import current_version as current_kek
from core.master_keys import is_from_environment, is_sealed, lacking
from core.tenancy import TenantRef, platform_scope
from tenants.isolation.registry import Broken, FenceKind, Unprovable, proves
from tenants.models import TenantDataKey
from tenants.services.data_keys import data_key_of

_NONCE = 12


def _row(tenant: TenantRef) -> TenantDataKey:
    with platform_scope():
        row: TenantDataKey | None = TenantDataKey.objects.filter(pk=tenant.id).first()
    if row is None:
        raise Broken("The tenant has no data key.")
    return row


def _key(tenant: TenantRef) -> bytes:
    with platform_scope():
        return data_key_of(tenant.id)


@proves(FenceKind.STORAGE, "data_key_wrapped", _("The data key is stored wrapped only"))
def data_key_wrapped(tenant: TenantRef) -> str:
    """The tenant's data key is stored wrapped only, and the key-encryption key of its version opens it."""
    row = _row(tenant)
    try:
        plain = _key(tenant)
    except SealBroken as error:
        raise Broken("The tenant's data key does not open.") from error
    if plain in bytes(row.wrapped):
        raise Broken("The tenant's data key is stored in the clear.")
    return (
        f"A {len(plain) * 8}-bit key, wrapped with AES-256-GCM under version {row.kek_version} of the key-encryption"
        f" key (version {current_kek()} is current), made on {row.created_at:%Y-%m-%d}."
    )


@proves(FenceKind.STORAGE, "not_sealed", _("The installation is not sealed"))
def not_sealed(tenant: TenantRef) -> str:
    """Without its master key nothing can be opened, and nothing is; the checks beside this one cannot run then."""
    version = current_kek()
    if is_sealed():
        raise Unprovable(f"The installation is sealed: master keys {sorted(lacking())} are lacking, and nothing opens.")
    place = "from the environment" if is_from_environment(version) else "in the secrets file"
    return f"The key-encryption key, version {version}, is at hand ({place}) and outside of the database."


@proves(FenceKind.STORAGE, "wrapping_bound_to_tenant", _("The wrapped key is bound to this tenant"))
def wrapping_bound_to_tenant(tenant: TenantRef) -> str:
    """The wrapped key does not open as another tenant's, as it would have to after a swap of rows."""
    row = _row(tenant)
    wrapped = WrappedKey(row.kek_version, bytes(row.wrapped))
    try:
        unwrap_key(wrapped, context=f"tenants_tenantdatakey|{'0' * 26}|wrapped")
    except SealBroken:
        return "The wrapped key, put into another tenant's row, does not open."
    raise Broken("The wrapped key also opens in another tenant's row.")


@proves(FenceKind.STORAGE, "canary_closed_to_others", _("What is sealed here does not open elsewhere"))
def canary_closed_to_others(tenant: TenantRef) -> str:
    """What is sealed with this tenant's key opens with it, and not with another tenant's."""
    nonce, canary, mine = os.urandom(_NONCE), os.urandom(16), AESGCM(_key(tenant))
    sealed = mine.encrypt(nonce, canary, tenant.id.encode())
    if mine.decrypt(nonce, sealed, tenant.id.encode()) != canary:
        raise Broken("A canary does not come back with the tenant's own key.")
    other, whose = _another_key(tenant)
    try:
        AESGCM(other).decrypt(nonce, sealed, tenant.id.encode())
    except InvalidTag:
        return f"A canary of {len(canary)} bytes came back with the tenant's own key, and did not open with {whose}."
    raise Broken(f"A canary sealed with this tenant's key opened with {whose}.")


def _another_key(tenant: TenantRef) -> tuple[bytes, str]:
    """The data key of some other tenant, or of a ready schema that waits for one; else a fresh one."""
    with platform_scope():
        other = TenantDataKey.objects.exclude(pk=tenant.id).order_by("pk").first()
        if other is not None:
            return data_key_of(other.pk), "another tenant's"
    return AESGCM.generate_key(bit_length=256), "a fresh key, as no other tenant has one"
