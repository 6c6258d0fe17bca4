"""The people and companies of every test; owns who they are and how they come into being.

*acme* pays (Enterprise), *globex* tries (Individual), *initech* is suspended, *olivia* operates the platform and
*mallory* belongs to globex: whatever is acme's, she must not see.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from audit.api import Actor
from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.api import (
    ApiKey,
    OperatorRole,
    Role,
    Tenant,
    TenantType,
    add_member,
    create_api_key,
    create_operator_token,
    create_tenant,
    set_operator_role,
    suspend_tenant,
)

TESTER = Actor.system("tests")
PASSWORD = "correct-horse-battery"


@dataclass(frozen=True, slots=True)
class Player:
    """A tenant with one key and its owner."""

    tenant: Tenant
    key: ApiKey
    plaintext: str
    owner: User


def found(slug: str, type: TenantType, *, email: str, plan: str = "") -> Player:
    """Create a tenant with an owner and a live key."""
    with platform_scope():
        now = utc_now()
        tenant = create_tenant(slug=slug, name=slug.title(), type=type, acting=TESTER, now=now, plan=plan)
        member = add_member(
            tenant_id=tenant.id, email=email, role=Role.OWNER, acting=TESTER, now=now, password=PASSWORD
        )
        scopes = ["inference", "usage:read", "keys:read", "keys:write"]
        key, plaintext = create_api_key(tenant_id=tenant.id, name="first", acting=TESTER, now=now, scopes=scopes)
        return Player(tenant, key, plaintext, member.user)


def found_acme() -> Player:
    return found("acme", TenantType.ENTERPRISE, email="amy@acme.example")


def found_globex() -> Player:
    return found("globex", TenantType.INDIVIDUAL, email="mallory@globex.example")


def found_initech() -> Player:
    player = found("initech", TenantType.SMALL_BUSINESS, email="ian@initech.example")
    with platform_scope():
        suspend_tenant(tenant_id=player.tenant.id, reason="unpaid", acting=TESTER, now=utc_now())
        player.tenant.refresh_from_db()
    return player


@dataclass(frozen=True, slots=True)
class Operator:
    user: User
    token: str


def found_olivia(role: OperatorRole = OperatorRole.SUPER) -> Operator:
    """The operator, with password sign-in and a REST token."""
    with platform_scope():
        user = User.objects.create_user("olivia", "olivia@lumos.example", PASSWORD)
        set_operator_role(user_id=user.pk, role=role, acting=TESTER, now=utc_now())
        user.refresh_from_db()
        _, token = create_operator_token(user_id=user.pk, name="tests", acting=TESTER, now=utc_now())
        return Operator(user, token)
