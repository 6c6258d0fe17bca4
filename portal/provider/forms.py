"""What is asked about an identity provider; the secret is written and never shown."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from portal.members.forms import ROLE_NAMES
from tenants.api import Role


class ProviderForm(forms.Form):
    issuer = forms.URLField(
        label=_("Issuer"),
        max_length=300,
        assume_scheme="https",
        help_text=_("The address under which the provider publishes /.well-known/openid-configuration."),
    )
    client_id = forms.CharField(label=_("Client id"), max_length=300)
    secret = forms.CharField(
        label=_("Client secret"),
        max_length=500,
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text=_("Never shown again. Left empty, the one that is stored stays."),
    )
    admits = forms.BooleanField(
        label=_("Take in everybody whom the provider knows"),
        required=False,
        help_text=_("Otherwise members tie their own account to it, under Security."),
    )
    role = forms.ChoiceField(
        label=_("Role of those it takes in"),
        choices=[(role.value, ROLE_NAMES[role]) for role in Role if role is not Role.OWNER],
        initial=Role.VIEWER.value,
    )
