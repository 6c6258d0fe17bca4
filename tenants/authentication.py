"""Recognising the caller of the REST API: an operator or a member by session or token, or a tenant's key; no more."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from django.contrib.auth.models import User
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from core.address import exact_address
from core.clock import utc_now
from core.errors import NotAuthenticated
from core.proof import has_proved_factor
from core.rest.principal import Principal
from core.tenancy import platform_scope
from tenants.data import TenantStatus
from tenants.demanded_factor import lacks_demanded_factor
from tenants.errors import FactorNotProved
from tenants.impersonation import Visit
from tenants.keyformat import is_well_formed
from tenants.models import Membership, Tenant
from tenants.networks import check_key_address, check_portal_address
from tenants.roles import OPEN_TO_VISITORS, permissions_of
from tenants.selectors import key_by_plaintext, operator_by_token, session_behind
from tenants.sessions.access_tokens import AccessTokenInvalid, looks_like_one, read_access_token

CHALLENGE = 'Bearer realm="lumos"'
_OPERATOR_PREFIX = "lum_oper_"


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer lum_oper_…` (operators, on the operators' host), `lum_live_…`, `lum_test_…`, or a JWT."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        scheme, _space, credential = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        credential = credential.strip()
        here: Tenant | None = getattr(request, "tenant", None)
        address = exact_address(request._request)
        if looks_like_one(credential):
            with platform_scope():
                return _member(credential, here, address), None
        if not is_well_formed(credential):
            raise NotAuthenticated(_("This is not a key of ours: its prefix, length or checksum is wrong."))
        with platform_scope():
            if credential.startswith(_OPERATOR_PREFIX):
                return _operator(credential, here), None
            return _key(credential, here, address), None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _operator(credential: str, here: Tenant | None) -> Principal:
    token = operator_by_token(credential, utc_now()) if here is None else None
    if token is None:
        raise NotAuthenticated(_("This operator token is not valid here."))
    return operator_principal(token.user, label=f"{token.user.get_username()} ({token.name})")


def _key(credential: str, here: Tenant | None, address: str) -> Principal:
    """The tenant behind a key. On a tenant's host only that tenant's keys are known. Raises AddressNotAllowed."""
    found = key_by_plaintext(credential, utc_now())
    if found is None or (here is not None and here.id != found.tenant_id):
        raise NotAuthenticated(_("This key is not valid here: unknown, revoked or expired."))
    status = found.tenant.status
    if status not in (TenantStatus.ACTIVE, TenantStatus.SUSPENDED):
        raise NotAuthenticated(_("This key is not valid here: unknown, revoked or expired."))
    check_key_address(found, address)
    return Principal(
        kind="key",
        id=found.public_id,
        label=f"{found.name} ({found})",
        tenant=found.tenant.ref,
        scopes=frozenset(found.scopes),
        read_only=status == TenantStatus.SUSPENDED,
    )


def _member(credential: str, here: Tenant | None, address: str) -> Principal:
    """The member behind an access token, as the database knows them now. On a tenant's host only its own."""
    now = utc_now()
    claims = read_access_token(credential, now=now)
    if here is not None and here.id != claims.tenant_id:
        raise AccessTokenInvalid()
    session = session_behind(claims, now)
    if session is None:
        raise AccessTokenInvalid(_("The session of this token is over."), next_step=_("Open a new one."))
    check_portal_address(session.tenant.portal_networks, address)
    return member_principal(session.membership, session.user, session.tenant)


class OperatorSession(SessionAuthentication):
    """The browser session of a staff account on the operators' host; writes need the CSRF token.

    A session that gave a password only is refused, so that REST is no way around the second factor.
    """

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        if getattr(request, "tenant", None) is not None:
            return None
        account = cast("User | None", getattr(request._request, "user", None))
        if account is None or not (account.is_active and account.is_staff):
            return None
        if not has_proved_factor(request._request):
            raise FactorNotProved(next_step=_("Sign in to the operators' pages with your second factor."))
        self.enforce_csrf(request)
        return operator_principal(account, label=account.get_username()), None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def operator_principal(account: User, *, label: str) -> Principal:
    return Principal(kind="operator", id=str(account.pk), label=label, has_permission=account.has_perm)


class MemberSession(SessionAuthentication):
    """The portal session of a member, on their tenant's host; writes need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        membership: Membership | None = getattr(request._request, "membership", None)
        if membership is None or membership.tenant.status not in (TenantStatus.ACTIVE, TenantStatus.SUSPENDED):
            return None
        check_portal_address(membership.tenant.portal_networks, exact_address(request._request))
        if lacks_demanded_factor(request._request, membership):
            raise FactorNotProved(next_step=_("Add and prove a second factor in the portal."))
        self.enforce_csrf(request)
        visit: Visit | None = getattr(request._request, "impersonation", None)
        if visit is not None:
            return _visitor_principal(visit), None
        return member_principal(membership, membership.user, membership.tenant), None

    def authenticate_header(self, request: Request) -> str:
        return CHALLENGE


def _visitor_principal(visit: Visit) -> Principal:
    """An operator who acts for a member, or for the workspace: sees what those see, and changes little or nothing."""
    return replace(
        member_principal(visit.membership, visit.account, visit.membership.tenant),
        kind="impersonator",
        id=visit.actor.id,
        label=visit.actor.label,
        changes=OPEN_TO_VISITORS if visit.row.is_raised else frozenset(),
    )


def member_principal(membership: Membership, account: User, tenant: Tenant) -> Principal:
    return Principal(
        kind="member",
        id=str(account.pk),
        label=account.email or account.get_username(),
        tenant=tenant.ref,
        permissions=permissions_of(membership.role),
        read_only=tenant.status == TenantStatus.SUSPENDED,
    )
