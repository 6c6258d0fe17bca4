"""A tenant's identity provider: entered, changed, removed; owns that its secret is sealed and its address public."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.asking import forget, look_afresh
from accounts.models import Identity, IdentityProvider
from accounts.openid import Client
from accounts.services.sessions import end_sessions_through_provider
from audit.api import Actor, Personal, record
from core.errors import InvalidInput
from core.http import SafeClient
from core.locks import wait_turn
from tenants.api import EventName, Role, announce, seal_for_tenant, unseal_for_tenant

TURN = (
    7_052_061  # advisory lock, with the tenant's id: one identity or provider of it is looked for or changed at a time
)
_TABLE, _FIELD = "accounts_identityprovider", "sealed_secret"


@dataclass(frozen=True, slots=True)
class ProviderInput:
    """What somebody entered. An empty secret keeps the one that is there."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    admits: bool
    role: Role


def set_identity_provider(
    *, tenant_id: str, given: ProviderInput, acting: Actor, now: datetime, http: SafeClient | None = None
) -> IdentityProvider:
    """Let the tenant's people sign in there. Asks the provider first, so that a mistake is told and nothing changes.

    Another issuer needs its secret anew, and ends what the one before opened. Raises InvalidInput, UrlRefused,
    ProviderFailed and ProviderBusy.
    """
    if given.role is Role.OWNER:
        raise InvalidInput(_("Owners are made by owners, not by a provider."), fields={"role": [_("may not be owner")]})
    look_afresh(tenant_id, given.issuer, now, http)
    with transaction.atomic():
        wait_turn(TURN, tenant_id)
        before = IdentityProvider.objects.select_for_update().filter(pk=tenant_id).first()
        kept = before.sealed_secret if before is not None and before.issuer == given.issuer else ""
        if not given.secret and not kept:
            raise InvalidInput(_("Enter the client's secret."), fields={"secret": [_("is needed")]})
        row, _made = IdentityProvider.objects.update_or_create(
            tenant_id=tenant_id,
            defaults={
                "issuer": given.issuer,
                "client_id": given.client_id,
                "sealed_secret": _sealed(tenant_id, given.secret) if given.secret else kept,
                "admits": given.admits,
                "role": given.role,
                "changed_at": now,
            },
        )
        told = {"issuer": row.issuer, "client_id": row.client_id, "admits": row.admits}
        detail: dict[str, object] = {**{name: Personal(value) for name, value in told.items()}, "role": row.role}
        if before is not None and before.issuer != row.issuer:
            detail["ended"] = end_sessions_through_provider(tenant_id=tenant_id, acting=acting, now=now)
        target = Personal(row.issuer)
        record("identity_providers.set", actor=acting, tenant_id=tenant_id, target=target, detail=detail)
        _tell(row, acting, now)
    return row


@transaction.atomic
def remove_identity_provider(*, tenant_id: str, acting: Actor, now: datetime) -> None:
    """Nobody signs in there any more; accounts and memberships stay, ties to the provider and its sessions go."""
    wait_turn(TURN, tenant_id)
    row = IdentityProvider.objects.select_for_update().filter(pk=tenant_id).first()
    if row is None:
        return
    ended = end_sessions_through_provider(tenant_id=tenant_id, acting=acting, now=now)
    ties, _kinds = Identity.objects.filter(tenant_id=tenant_id).delete()
    row.delete()
    target, detail = Personal(row.issuer), {"identities": ties, "ended": ended}
    record("identity_providers.remove", actor=acting, tenant_id=tenant_id, target=target, detail=detail)
    told = {"issuer": row.issuer, "by": acting.label}
    announce(tenant_id=tenant_id, event=EventName.IDENTITY_PROVIDER_REMOVED, data=told, now=now)
    forget(tenant_id)


def _tell(row: IdentityProvider, acting: Actor, now: datetime) -> None:
    told = {"issuer": row.issuer, "client_id": row.client_id, "admits": row.admits, "role": row.role}
    told["by"] = acting.label
    announce(tenant_id=row.tenant_id, event=EventName.IDENTITY_PROVIDER_CHANGED, data=told, now=now)


def client_of(row: IdentityProvider, redirect_uri: str) -> Client:
    """We as that provider knows us, its secret opened."""
    secret = unseal_for_tenant(
        row.sealed_secret, tenant_id=row.tenant_id, table=_TABLE, row=row.tenant_id, field=_FIELD
    )
    return Client(row.issuer, row.client_id, secret, redirect_uri)


def _sealed(tenant_id: str, secret: str) -> str:
    return seal_for_tenant(secret, tenant_id=tenant_id, table=_TABLE, row=tenant_id, field=_FIELD)
