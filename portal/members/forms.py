"""What is filled in to invite somebody or to change a role; owns the words on roles, the service owns the rules."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.api import Role

ROLE_WORDS: dict[Role, Promise] = {
    Role.OWNER: _("Owner: everything, other owners included"),
    Role.ADMIN: _("Admin: everything but owners"),
    Role.DEVELOPER: _("Developer: keys, usage and the playground"),
    Role.BILLING: _("Billing: usage and bills"),
    Role.VIEWER: _("Viewer: looks, and changes nothing"),
}

ROLE_NAMES: dict[Role, Promise] = {
    Role.OWNER: _("Owner"),
    Role.ADMIN: _("Admin"),
    Role.DEVELOPER: _("Developer"),
    Role.BILLING: _("Billing"),
    Role.VIEWER: _("Viewer"),
}


def role_choices(*, owners: bool) -> list[tuple[str, Promise]]:
    """The roles that somebody may give."""
    return [(role.value, words) for role, words in ROLE_WORDS.items() if owners or role is not Role.OWNER]


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), max_length=150, widget=forms.EmailInput({"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role"), initial=Role.DEVELOPER.value, widget=forms.RadioSelect)

    def __init__(self, *args: Any, owners: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast("forms.ChoiceField", self.fields["role"]).choices = role_choices(owners=owners)

    @property
    def chosen(self) -> Role:
        return Role(self.cleaned_data["role"])
