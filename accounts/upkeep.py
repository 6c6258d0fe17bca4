"""What this room does when a tenant's life ends; the rest of it, accounts and their factors, is nobody's tenant's."""

from __future__ import annotations

from datetime import datetime

from accounts.models import Identity, IdentityProvider
from core.lifecycle import Moment, takes_part


@takes_part(Moment.GONE, "accounts")
def forget_tenant(tenant_id: str, now: datetime) -> str:
    """The provider and who came in through it."""
    identities, _kinds = Identity.objects.filter(tenant_id=tenant_id).delete()
    providers, _kinds = IdentityProvider.objects.filter(tenant_id=tenant_id).delete()
    return f"{providers} identity providers and {identities} identities deleted"
