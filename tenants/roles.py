"""The fixed roles: what a member of a tenant and what an operator is called, and what a member may do; pure.

Roles are code, not data: there is no page on which somebody could quietly widen one. What an operator may do is
spelled in names of all rooms' tables and stands in `lumos_site/access/roles.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum

from tenants.data import Role, Scope


class Permission(StrEnum):
    """One thing that a member of a tenant may or may not do, in the portal and through the REST API alike."""

    HOME_VIEW = "home.view"
    USAGE_VIEW = "usage.view"
    MODELS_VIEW = "models.view"
    MEMBERS_VIEW = "members.view"
    SETTINGS_OWN = "settings.own"
    KEYS_VIEW = "keys.view"
    KEYS_MANAGE = "keys.manage"
    BILL_VIEW = "bill.view"
    AUDIT_VIEW = "audit.view"
    PLAYGROUND_USE = "playground.use"
    MEMBERS_MANAGE = "members.manage"
    OWNERS_MANAGE = "owners.manage"
    WORKSPACE_CONFIGURE = "workspace.configure"
    WEBHOOKS_MANAGE = "webhooks.manage"
    ISOLATION_VIEW = "isolation.view"
    NETWORKS_MANAGE = "networks.manage"


class OperatorRole(StrEnum):
    """What an operator of the platform may do."""

    SUPER = "SUPER"
    SECURITY = "SECURITY"
    BILLING = "BILLING"
    SUPPORT = "SUPPORT"
    READ_ONLY = "READ_ONLY"


_EVERYBODY = frozenset(
    {
        Permission.HOME_VIEW,
        Permission.USAGE_VIEW,
        Permission.MODELS_VIEW,
        Permission.MEMBERS_VIEW,
        Permission.SETTINGS_OWN,
    }
)
_KEYS = frozenset({Permission.KEYS_VIEW, Permission.KEYS_MANAGE, Permission.PLAYGROUND_USE})

ROLE_PERMISSIONS: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission) - {Permission.OWNERS_MANAGE},
    Role.DEVELOPER: _EVERYBODY | _KEYS,
    Role.BILLING: _EVERYBODY | {Permission.BILL_VIEW},
    Role.VIEWER: _EVERYBODY | {Permission.KEYS_VIEW},
}

# What an operator who acts for somebody may change, once they have given a second reason. All else is closed to them,
# also what is added later: owners, people's own settings and factors, and whatever shows or makes a secret.
OPEN_TO_VISITORS = frozenset({Permission.MEMBERS_MANAGE})

# What a key with that scope can see and do, so that nobody makes a key that may more than they may themselves.
_SCOPE_NEEDS: Mapping[Scope, frozenset[Permission]] = {
    Scope.INFERENCE: frozenset({Permission.PLAYGROUND_USE}),
    Scope.USAGE_READ: frozenset({Permission.USAGE_VIEW, Permission.BILL_VIEW}),
    Scope.KEYS_READ: frozenset({Permission.KEYS_VIEW}),
    Scope.KEYS_WRITE: frozenset({Permission.KEYS_MANAGE}),
    Scope.AUDIT_READ: frozenset({Permission.AUDIT_VIEW}),
}


def permissions_of(role: str) -> frozenset[Permission]:
    """What a member with that role may; an unknown role may nothing."""
    return ROLE_PERMISSIONS[Role(role)] if role in set(Role) else frozenset()


def allows(role: str, permission: Permission) -> bool:
    return permission in permissions_of(role)


def visitor_may_change(permission: str, *, raised: bool) -> bool:
    """Whether an operator who acts for somebody may change what that permission is asked for."""
    return raised and permission in OPEN_TO_VISITORS


def grantable_scopes(permissions: Collection[str]) -> frozenset[str]:
    """The scopes that somebody with these permissions may give to a key."""
    return frozenset(scope.value for scope, needed in _SCOPE_NEEDS.items() if needed <= set(permissions))
