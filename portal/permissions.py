"""Which role may do what: one table, read by the guard, the navigation and the tests."""

from __future__ import annotations

from collections.abc import Mapping

from portal.data import Permission
from tenants.api import Role

_EVERYBODY = frozenset({Permission.HOME_VIEW, Permission.USAGE_VIEW, Permission.SETTINGS_OWN})

MATRIX: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(Permission),
    Role.DEVELOPER: _EVERYBODY | {Permission.KEYS_VIEW, Permission.KEYS_MANAGE, Permission.PLAYGROUND_USE},
    Role.BILLING: _EVERYBODY | {Permission.BILL_VIEW},
    Role.VIEWER: _EVERYBODY | {Permission.KEYS_VIEW},
}


def allows(role: str, permission: Permission) -> bool:
    """Whether a member with that role may; an unknown role may nothing."""
    return permission in MATRIX.get(Role(role), frozenset()) if role in set(Role) else False
