"""Which accounts proved their address; asked in workers too, where the sign-in library is not loaded."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection

from accounts.models import Identity
from core.tenancy import platform_scope
from tenants.api import AddressCheck, register_addresses

# The library's table, read as `accounts.selectors.has_proved_address` does.
_PROVED = """
SELECT e.user_id FROM account_emailaddress e JOIN auth_user u ON u.id = e.user_id
WHERE e.user_id = ANY(%s) AND e.verified AND e.email = coalesce(nullif(u.email, ''), u.username)
"""


def _proved(accounts: Collection[int]) -> frozenset[int]:
    with platform_scope(), connection.cursor() as cursor:
        cursor.execute(_PROVED, [list(accounts)])
        return frozenset(account for (account,) in cursor.fetchall())


def _vouched(account_id: int, tenant_id: str) -> bool:
    with platform_scope():
        return bool(Identity.objects.filter(user_id=account_id, tenant_id=tenant_id).exists())


register_addresses(AddressCheck(_proved, _vouched))
