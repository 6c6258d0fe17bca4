"""E-mail, password and code of a member, for callers without a browser; nobody is told which part was wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.http import HttpRequest

from core.address import client_address
from core.attempts import count_attempt, forget_attempts
from tenants.centre.registry import REQUIRE_FACTOR
from tenants.centre.selectors import setting_of
from tenants.errors import WrongCredentials
from tenants.models import Membership, Tenant
from tenants.second_factors import demand_factor
from tenants.selectors import membership_of


@dataclass(frozen=True, slots=True)
class MemberCredentials:
    """What somebody sent. `code` is that of a second factor, empty when there was none."""

    email: str
    password: str = field(repr=False)
    code: str = field(default="", repr=False)

    @property
    def account(self) -> str:
        return self.email.strip().lower()


def member_by_credentials(request: HttpRequest, tenant: Tenant, given: MemberCredentials) -> tuple[Membership, bool]:
    """The member, and whether they proved a second factor. Counted as an attempt to sign in, on the portal's counters.

    Raises WrongCredentials, SecondFactorNeeded, TooManyAttempts and Unavailable.
    """
    address = client_address(request)
    count_attempt(realm=tenant.id, address=address, account=given.account)
    account = authenticate(request, username=given.account, password=given.password)
    member = membership_of(account.pk, tenant.id) if isinstance(account, User) else None
    if not isinstance(account, User) or member is None:
        raise WrongCredentials()
    factor = demand_factor(account, given.code, always=bool(setting_of(tenant.id, REQUIRE_FACTOR)))
    forget_attempts(realm=tenant.id, address=address, account=given.account)
    return member, factor
