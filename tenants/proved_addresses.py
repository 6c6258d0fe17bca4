"""Whether somebody reads mail at the address of their account; owns the question, not what proves it.

The room that keeps accounts says here how it knows. While none does, nobody is refused or passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from tenants.data import Role
from tenants.errors import AddressNotProved
from tenants.models import Membership


@dataclass(frozen=True, slots=True)
class AddressCheck:
    """`proved(accounts)` which of them proved the address that they have; `vouched(account, tenant)` whether the
    tenant's own identity provider stands for somebody, who may have no address at all."""

    proved: Callable[[Collection[int]], frozenset[int]]
    vouched: Callable[[int, str], bool]


_checks: list[AddressCheck] = []


def register_addresses(check: AddressCheck) -> None:
    if check not in _checks:
        _checks.append(check)


def readers_among(accounts: Collection[int]) -> frozenset[int]:
    """Those that get letters of a tenant: they have shown to read what is sent to their address."""
    found = frozenset(accounts)
    for check in _checks:
        found &= check.proved(found)
    return found


def check_may_lead(membership: Membership, role: Role) -> None:
    """Owners and admins are people whose address is proved, when somebody makes them so. Raises AddressNotProved."""
    rises = role is Role.OWNER or (role is Role.ADMIN and membership.role != Role.OWNER)
    if not rises:
        return
    account, tenant = membership.user_id, membership.tenant_id
    if not all(check.proved([account]) or check.vouched(account, tenant) for check in _checks):
        raise AddressNotProved(
            _("%(account)s has not confirmed the e-mail address.") % {"account": membership.user.get_username()},
            next_step=_("Ask them to have a letter sent under Settings · Security."),
        )
