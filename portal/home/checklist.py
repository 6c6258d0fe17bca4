"""What a newcomer does first, and which of it is done; pure."""

from __future__ import annotations

from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.api import Permission, allows


@dataclass(frozen=True, slots=True)
class Step:
    title: Promise
    hint: Promise
    done: bool
    address: str  # empty: nothing to open, or not with this role


def checklist(*, role: str, has_key: bool, has_usage: bool) -> list[Step]:
    """The first steps, in order."""
    keys = reverse("portal:key_create") if allows(role, Permission.KEYS_MANAGE) else ""
    playground = reverse("portal:playground") if allows(role, Permission.PLAYGROUND_USE) else ""
    return [
        Step(_("Create an API key"), _("Your programs sign in with it. It is shown once."), has_key, keys),
        Step(_("Send the first request"), _("Paste the line below, with your key in it."), has_usage, ""),
        Step(_("Try a model in the browser"), _("The playground needs no key."), has_usage, playground),
    ]
