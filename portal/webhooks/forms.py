"""What is filled in for an endpoint; owns the words, the service owns the rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django import forms
from django.utils.translation import gettext_lazy as _

from tenants.api import CHOSEN


class EndpointForm(forms.Form):
    url = forms.CharField(
        label=_("Address"), max_length=500, help_text=_("https:// and a server that can be reached from the internet.")
    )
    description = forms.CharField(label=_("Description"), max_length=200, required=False)
    events = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(name.value, name.value) for name in CHOSEN],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all, also those to come."),
    )

    def add_service_errors(self, message: str, fields: Mapping[str, Sequence[str]]) -> None:
        """Show what the service refused beside the field it is about."""
        for name, complaints in (fields or {"": [message]}).items():
            for complaint in complaints:
                self.add_error(name if name in self.fields else None, complaint)
