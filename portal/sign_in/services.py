"""The first step of signing in, and signing out; owns who is let in: members, and nobody is told which part failed."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import authenticate, logout
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext as _

from accounts.api import begin_sign_in, place_of
from core.address import client_address
from core.attempts import count_attempt, forget_attempts
from core.clock import utc_now
from core.errors import NotAuthenticated
from core.tenancy import platform_scope
from portal.join.views import opened_for
from tenants.api import Tenant, membership_of


class WrongCredentials(NotAuthenticated):
    code = "wrong_credentials"
    title = "E-mail or password is wrong"


@dataclass(frozen=True, slots=True)
class Credentials:
    email: str
    password: str

    @property
    def account(self) -> str:
        return self.email.strip().lower()


def sign_in(request: HttpRequest, *, tenant: Tenant, credentials: Credentials, back_to: str) -> bool:
    """True when signed in, False when a second step is waited for, which then goes to `back_to`.

    Raises WrongCredentials, TooManyAttempts and Unavailable.
    """
    address = client_address(request)
    count_attempt(realm=tenant.id, address=address, account=credentials.account)
    user = authenticate(request, username=credentials.account, password=credentials.password)
    if not isinstance(user, User) or not may_enter(request, user, tenant):
        raise WrongCredentials(
            _("E-mail or password is wrong, or the account is not a member of %(tenant)s.") % {"tenant": tenant.name}
        )
    forget_attempts(realm=tenant.id, address=address, account=credentials.account)
    return begin_sign_in(request, account=user, place=place_of(request), back_to=back_to, now=utc_now())


def may_enter(request: HttpRequest, user: User, tenant: Tenant) -> bool:
    """Members, and whoever has opened an invitation to their own address."""
    if membership_of(user.pk, tenant.id) is not None:
        return True
    invited = opened_for(request, tenant.id)
    return bool(invited) and invited in (user.get_username().lower(), user.email.lower())


def sign_out(request: HttpRequest) -> None:
    """End the session. Sessions are the platform's, whatever scope the request runs in."""
    with platform_scope():
        logout(request)
