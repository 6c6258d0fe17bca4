"""Opening and closing a session; owns who is let in: members of this tenant, and nobody is told which part failed."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext as _

from audit.api import Actor, record
from core.address import client_address
from core.attempts import count_attempt, forget_attempts
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


def sign_in(request: HttpRequest, *, tenant: Tenant, credentials: Credentials) -> User:
    """Sign in and return the account. Raises WrongCredentials, TooManyAttempts and Unavailable."""
    address = client_address(request)
    count_attempt(realm=tenant.id, address=address, account=credentials.account)
    user = authenticate(request, username=credentials.account, password=credentials.password)
    if not isinstance(user, User) or not _may_enter(request, user, tenant):
        raise WrongCredentials(
            _("E-mail or password is wrong, or the account is not a member of %(tenant)s.") % {"tenant": tenant.name}
        )
    login(request, user)
    forget_attempts(realm=tenant.id, address=address, account=credentials.account)
    who = Actor("member", str(user.pk), user.email or user.get_username())
    record("sessions.sign_in", actor=who, tenant_id=tenant.id, target=tenant.public_id, detail={"from": address})
    return user


def _may_enter(request: HttpRequest, user: User, tenant: Tenant) -> bool:
    """Members, and whoever has opened an invitation to their own address."""
    if membership_of(user.pk, tenant.id) is not None:
        return True
    invited = opened_for(request, tenant.id)
    return bool(invited) and invited in (user.get_username().lower(), user.email.lower())


def sign_out(request: HttpRequest) -> None:
    """End the session. Sessions are the platform's, whatever scope the request runs in."""
    with platform_scope():
        logout(request)
