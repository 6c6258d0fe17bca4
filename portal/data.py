"""What the portal lets people do, by name; owns the names, not who has them."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing that a member of a tenant may or may not do in the portal."""

    HOME_VIEW = "home.view"
    USAGE_VIEW = "usage.view"
    KEYS_VIEW = "keys.view"
    KEYS_MANAGE = "keys.manage"
    BILL_VIEW = "bill.view"
    PLAYGROUND_USE = "playground.use"
    SETTINGS_OWN = "settings.own"
