"""What the side bar shows to whom: a page that a role may not open is not offered."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.api import Permission, allows


@dataclass(frozen=True, slots=True)
class NavItem:
    label: str | Promise
    address: str
    icon: str
    active: bool


_PAGES = (
    (_("Home"), "portal:home", "home", Permission.HOME_VIEW),
    (_("Playground"), "portal:playground", "chat", Permission.PLAYGROUND_USE),
    (_("API keys"), "portal:keys", "key", Permission.KEYS_VIEW),
    (_("Usage"), "portal:usage", "chart", Permission.USAGE_VIEW),
    (_("Running bill"), "portal:bill", "bill", Permission.BILL_VIEW),
    (_("Members"), "portal:members", "people", Permission.MEMBERS_VIEW),
    (_("Webhooks"), "portal:webhooks", "hook", Permission.WEBHOOKS_MANAGE),
    (_("Workspace"), "portal:workspace", "building", Permission.WORKSPACE_CONFIGURE),
    (_("Isolation"), "portal:isolation", "shield", Permission.ISOLATION_VIEW),
    (_("Networks"), "portal:networks", "globe", Permission.NETWORKS_MANAGE),
    (_("Settings"), "portal:settings", "sliders", Permission.SETTINGS_OWN),
)


def navigation_of(request: HttpRequest) -> list[NavItem]:
    """The pages that this member may open; none for somebody who is not signed in."""
    membership = getattr(request, "membership", None)
    if membership is None:
        return []
    return [
        NavItem(label, reverse(name), icon, _is_active(request.path, reverse(name)))
        for label, name, icon, permission in _PAGES
        if allows(membership.role, permission)
    ]


def _is_active(path: str, address: str) -> bool:
    return path == address if address == "/" else path.startswith(address)
