"""Who acts as whom in a tenant's portal right now; owns when a visit is over and what its request looks like.

A visit is looked at again at every request: the operator's own session, role and account, the member, the tenant and
the time. Its session on the tenant's host holds nothing but its id, and that host never sees the operator's cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import cast

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase

from audit.api import Actor
from core.crypto import unseal
from tenants.data import ImpersonationEnd, ImpersonationFacts, Role, TenantStatus
from tenants.models import Impersonation, Membership, Tenant

SESSION = "impersonation"  # where a session on the tenant's host keeps the visit's id
MAY_BEGIN, MAY_RAISE = "tenants.add_impersonation", "tenants.raise_impersonation"


@dataclass(frozen=True, slots=True)
class Visit:
    """An impersonation that holds. `membership` is what the portal is to believe; never an owner's."""

    row: Impersonation
    membership: Membership

    @property
    def account(self) -> User:
        return self.membership.user

    @property
    def actor(self) -> Actor:
        return actor_of(self.row)

    @property
    def may_raise(self) -> bool:
        return self.row.operator.has_perm(MAY_RAISE)


def actor_of(row: Impersonation) -> Actor:
    """Both names, for every entry of the audit log that is made meanwhile."""
    label = f"{row.operator_label} as {row.acts_as or row.tenant.name}"
    return Actor("operator", str(row.operator_id), label[:200], acts_for=True)


def seal_context(row: Impersonation) -> str:
    return f"tenants_impersonation|{row.id}|session_sealed|{row.tenant_id}"


def impersonation_on(tenant: Tenant, impersonation_id: str) -> Impersonation | None:
    rows = Impersonation.objects.select_related("operator", "member__user", "tenant")
    return rows.filter(pk=impersonation_id, tenant_id=tenant.id).exclude(entered_at=None).first()


def over_because(row: Impersonation, now: datetime) -> ImpersonationEnd | None:
    """Why it must end; None while it holds. Asks nothing of who it has ended already."""
    if row.ended_at is not None:
        return ImpersonationEnd(row.end_reason)
    if row.expires_at <= now:
        return ImpersonationEnd.EXPIRED
    if not row.operator.has_perm(MAY_BEGIN):
        return ImpersonationEnd.ROLE_LOST
    if not _is_signed_in(row):
        return ImpersonationEnd.SIGNED_OUT
    if row.acts_as and (row.member is None or not row.member.user.is_active):
        return ImpersonationEnd.MEMBER_GONE
    return None if row.tenant.status in (TenantStatus.ACTIVE, TenantStatus.SUSPENDED) else ImpersonationEnd.TENANT


def _is_signed_in(row: Impersonation) -> bool:
    """Whether the session in which it was begun is still that operator's, with the password of then."""
    store = cast("type[SessionBase]", import_module(settings.SESSION_ENGINE).SessionStore)
    kept = store(unseal(row.session_sealed, context=seal_context(row))).load()
    mark: object = kept.get(HASH_SESSION_KEY)
    return kept.get(SESSION_KEY) == str(row.operator_id) and mark == row.operator.get_session_auth_hash()


def visit_of(row: Impersonation) -> Visit:
    """As the member, or as an admin for the workspace as such; for owners as an admin, too, whose matters stay theirs.

    The membership is made for this request and stored nowhere.
    """
    role = Role(row.member.role) if row.member else Role.ADMIN
    account = row.member.user if row.member else User(username=row.tenant.name)
    capped = Role.ADMIN if role is Role.OWNER else role
    made_at = row.created_at
    return Visit(row, Membership(id=row.id, tenant=row.tenant, user=account, role=capped, created_at=made_at))


def impersonations_of(now: datetime, most: int = 20) -> list[ImpersonationFacts]:
    """The latest visits in the tenant whose scope this is; its own people may know who came, when and why."""
    names = ("operator_label", "acts_as", "reason", "raise_reason", "created_at", "expires_at", "ended_at")
    rows = Impersonation.objects.order_by("-created_at").values_list(*names)[:most]
    return [
        ImpersonationFacts(
            operator, acts_as, reason, raised, began, min(ended or until, until), not ended and until > now
        )
        for operator, acts_as, reason, raised, began, until, ended in rows
    ]
