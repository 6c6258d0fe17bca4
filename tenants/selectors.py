"""Reads of the tenants app that more than one caller shares; facts and lists, never lazy rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from tenants.data import (
    AccessClaims,
    ApiSessionFacts,
    InvitationFacts,
    KeyFacts,
    KeyLimits,
    MemberFacts,
    Role,
    TenantFacts,
    TenantStatus,
    TenantType,
)
from tenants.errors import KeyNotFound, TenantNotFound
from tenants.grants import Reach
from tenants.models import ApiKey, ApiSession, Domain, Invitation, Membership, Operator, OperatorToken, Tenant
from tenants.roles import OperatorRole
from tenants.services.keys import digests_of
from tenants.services.sessions import end_reason


def living_tenants() -> QuerySet[Tenant]:
    """All but the tombstones of deleted ones."""
    living: QuerySet[Tenant] = Tenant.objects.exclude(status=TenantStatus.DELETED)
    return living


def tenant_by_id(tenant_id: str) -> Tenant:
    """The tenant; raises TenantNotFound, also for one that was deleted: nobody does anything to a tombstone."""
    tenant: Tenant | None = living_tenants().filter(pk=tenant_id).first()
    if tenant is None:
        raise TenantNotFound()
    return tenant


def tenant_by_slug(slug: str) -> Tenant:
    """The tenant with that slug; raises TenantNotFound."""
    tenant: Tenant | None = living_tenants().filter(slug=slug).first()
    if tenant is None:
        raise TenantNotFound()
    return tenant


def tenant_by_host(host: str) -> Tenant | None:
    domain = Domain.objects.select_related("tenant").filter(domain=host.lower()).first()
    return domain.tenant if domain else None


def tenant_facts(tenant: Tenant) -> TenantFacts:
    return TenantFacts(
        id=tenant.id,
        slug=tenant.slug,
        name=tenant.name,
        type=TenantType(tenant.type),
        status=TenantStatus(tenant.status),
        plan=tenant.plan,
        region=tenant.region,
        networks=tuple(tenant.allowed_networks),
        portal_networks=tuple(tenant.portal_networks),
    )


def all_tenant_facts() -> list[TenantFacts]:
    return [tenant_facts(tenant) for tenant in living_tenants().order_by("id")]


def digests_of_tenant(tenant_id: str) -> list[str]:
    """The stored digests of all its keys, usable or not."""
    return list(ApiKey.objects.filter(tenant_id=tenant_id).values_list("digest", flat=True))


def key_facts(key: ApiKey) -> KeyFacts:
    return KeyFacts(
        id=key.id,
        tenant_id=key.tenant_id,
        digest=key.digest,
        name=key.name,
        live=key.live,
        scopes=tuple(key.scopes),
        models=tuple(key.allowed_models),
        expires_at_ms=int(key.expires_at.timestamp() * 1000) if key.expires_at else None,
        revoked=key.revoked_at is not None,
        limits=KeyLimits(key.requests_per_minute, key.tokens_per_minute),
        networks=tuple(key.allowed_networks),
    )


def key_facts_by_id(key_id: str) -> KeyFacts:
    """One key's facts; raises KeyNotFound."""
    key = ApiKey.objects.filter(pk=key_id).first()
    if key is None:
        raise KeyNotFound()
    return key_facts(key)


def key_facts_by_ids(key_ids: Collection[str]) -> list[KeyFacts]:
    """The facts of those keys that exist, in no order."""
    return [key_facts(key) for key in ApiKey.objects.filter(pk__in=key_ids)]


def usable_key_facts(now: datetime) -> Iterator[KeyFacts]:
    """Every key that is neither revoked nor expired, in no order; streams rows, for a full publication."""
    for key in ApiKey.objects.filter(revoked_at=None).iterator(chunk_size=2000):
        if key.expires_at is None or key.expires_at > now:
            yield key_facts(key)


def reach_of(key: ApiKey) -> Reach:
    """What a key may hand on to another one."""
    limits = KeyLimits(key.requests_per_minute, key.tokens_per_minute)
    return Reach(
        frozenset(key.scopes),
        key.live,
        frozenset(key.allowed_models),
        limits,
        key.expires_at,
        tuple(key.allowed_networks),
    )


def key_by_plaintext(plaintext: str, now: datetime) -> ApiKey | None:
    """The usable key behind a credential, for the REST API; the gateway has its own way."""
    digests = digests_of(plaintext)
    key = ApiKey.objects.select_related("tenant").filter(digest__in=digests, revoked_at=None).first()
    return key if key and (key.expires_at is None or key.expires_at > now) else None


def operator_by_token(plaintext: str, now: datetime) -> OperatorToken | None:
    """The usable operator token behind a credential, of an account that is still staff."""
    token = (
        OperatorToken.objects.select_related("user")
        .filter(digest__in=digests_of(plaintext), revoked_at=None, user__is_active=True, user__is_staff=True)
        .first()
    )
    return token if token and (token.expires_at is None or token.expires_at > now) else None


def membership_of(user_id: int, tenant_id: str) -> Membership | None:
    return Membership.objects.select_related("tenant", "user").filter(user_id=user_id, tenant_id=tenant_id).first()


def operator_role_of(account: User) -> OperatorRole | None:
    """The account's operator role; None for one that operates nothing."""
    if not account.is_staff:
        return None
    if account.is_superuser:
        return OperatorRole.SUPER
    role = Operator.objects.filter(user_id=account.pk).values_list("role", flat=True).first()
    return OperatorRole(role) if role in set(OperatorRole) - {OperatorRole.SUPER} else None


def members_of(tenant_id: str) -> list[MemberFacts]:
    """A tenant's members, by address. In the platform's scope: accounts belong to no tenant."""
    rows = Membership.objects.select_related("user").filter(tenant_id=tenant_id).order_by("user__username")
    return [member_facts(row) for row in rows]


def member_facts(membership: Membership) -> MemberFacts:
    account = membership.user
    return MemberFacts(
        id=membership.public_id,
        user_id=account.pk,
        email=account.email or account.get_username(),
        name=account.get_full_name(),
        role=Role(membership.role),
        since=membership.created_at,
        last_sign_in=account.last_login,
    )


def invitations_of(tenant_id: str) -> list[InvitationFacts]:
    """A tenant's invitations that are neither used nor withdrawn, the newest first."""
    rows = Invitation.objects.filter(tenant_id=tenant_id, accepted_at=None, revoked_at=None).order_by("-created_at")
    return [invitation_facts(row) for row in rows]


def invitation_facts(invitation: Invitation) -> InvitationFacts:
    return InvitationFacts(
        id=invitation.public_id,
        email=invitation.email,
        role=Role(invitation.role),
        invited_by=invitation.invited_by,
        expires_at=invitation.expires_at,
    )


def api_sessions_of(tenant_id: str, user_id: int, now: datetime) -> list[ApiSessionFacts]:
    """The sessions of one member that can be used or renewed, the newest first. In the platform's scope."""
    rows = ApiSession.objects.select_related("user", "tenant").filter(tenant_id=tenant_id, user_id=user_id)
    rows = rows.filter(ended_at=None, refresh_until__gt=now).order_by("-created_at")
    return [_session_facts(row) for row in rows if end_reason(row) is None]


def _session_facts(session: ApiSession) -> ApiSessionFacts:
    return ApiSessionFacts(
        id=session.public_id,
        name=session.name,
        opened_from=session.opened_from,
        created_at=session.created_at,
        used_at=session.used_at,
        expires_at=session.refresh_until,
    )


def session_behind(claims: AccessClaims, now: datetime) -> ApiSession | None:
    """The session of an access token with its member as they are now; None when anything about them is over."""
    rows = ApiSession.objects.select_related("user", "tenant", "membership")
    named = rows.filter(pk=claims.session_id, membership_id=claims.membership_id, tenant_id=claims.tenant_id)
    session = named.filter(ended_at=None, expires_at__gt=now).first()
    return session if session and end_reason(session) is None else None
