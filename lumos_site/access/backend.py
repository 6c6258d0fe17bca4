"""Django's permissions from the fixed operator roles; groups and permissions given to single accounts mean nothing."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser, User

from lumos_site.access.roles import operator_permissions
from tenants.api import operator_role_of

_MEMORY = "_lumos_operator_permissions"


class RoleBackend(ModelBackend):
    """Signs in by password, and answers what an account may by its operator role alone."""

    def get_all_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        """Asked once for each account object, that is once for each request."""
        if isinstance(user_obj, AnonymousUser) or not user_obj.is_active or obj is not None:
            return set()
        if not hasattr(user_obj, _MEMORY):
            setattr(user_obj, _MEMORY, _permissions(user_obj))
        found: frozenset[str] = getattr(user_obj, _MEMORY)
        return set(found)

    get_user_permissions = get_all_permissions

    def get_group_permissions(self, user_obj: Any, obj: object = None) -> set[str]:
        return set()


def _permissions(account: User) -> frozenset[str]:
    role = operator_role_of(account)
    return operator_permissions(role) if role else frozenset()
