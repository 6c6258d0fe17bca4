"""What an operator fills in to be allowed changes."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _


class RaiseForm(forms.Form):
    reason = forms.CharField(
        label=_("Why you have to change something"),
        max_length=300,
        widget=forms.Textarea({"rows": 3}),
        help_text=_("The people of this workspace see it, and both audit logs keep it."),
    )
