"""States as coloured words; owns the words, no rule."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.admin import display
from core.clock import utc_now
from tenants.models import ApiKey, OperatorToken

KEY_COLOURS = {"usable": "success", "test": "info", "expired": "warning", "revoked": "danger"}


def _ended(revoked_at: datetime | None, expires_at: datetime | None) -> tuple[str, str] | None:
    if revoked_at is not None:
        return "revoked", _("revoked")
    if expires_at is not None and expires_at <= utc_now():
        return "expired", _("expired")
    return None


def key_state(key: ApiKey) -> tuple[str, str]:
    """(colour's name, word) of a key."""
    usable = ("usable", _("live")) if key.live else ("test", _("test"))
    return _ended(key.revoked_at, key.expires_at) or usable


class KeyColumns:
    """What every list of API keys shows alike."""

    @display(description=gettext_lazy("state"), label=KEY_COLOURS)
    def state(self, key: ApiKey) -> tuple[str, str]:
        return key_state(key)

    @display(description=gettext_lazy("scopes"))
    def scopes_shown(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)


def token_state(token: OperatorToken) -> tuple[str, str]:
    return _ended(token.revoked_at, token.expires_at) or ("usable", _("usable"))
