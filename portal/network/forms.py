"""What is filled in to say from where somebody may come; owns the words, the service owns the rules."""

from __future__ import annotations

from collections.abc import Sequence

from django import forms
from django.utils.translation import gettext_lazy as _

from core.errors import LumosError
from core.network_field import NetworksField


class _Guarded(forms.Form):
    """`confirm` is offered only after the service warned that its writer would be shut out."""

    confirm = forms.BooleanField(
        label=_("I mean it: shut me out from here"), required=False, widget=forms.HiddenInput, initial=False
    )

    def tell(self, error: LumosError) -> None:
        """Show what the service said beside the field it is about."""
        for name, messages in error.fields.items():
            for message in messages:
                self.add_error(name if name in self.fields else None, message)
        if not error.fields:
            self.add_error(None, error.message)

    def offer_to_confirm(self) -> None:
        self.fields["confirm"].widget = forms.CheckboxInput()


class NetworksForm(_Guarded):
    networks = NetworksField(
        label=_("Programs"),
        help_text=_("Where API keys may be used, one network a line. Empty: from everywhere."),
    )
    portal_networks = NetworksField(
        label=_("People"),
        help_text=_("Where members may open this portal and its playground. Empty: from everywhere."),
    )

    @property
    def lists(self) -> dict[str, Sequence[str]]:
        return {name: self.cleaned_data[name] for name in ("networks", "portal_networks")}


class KeyNetworksForm(forms.Form):
    networks = NetworksField(
        label=_("Networks"),
        help_text=_("Where this key may be used, one network a line, such as 203.0.113.0/24. Empty: from everywhere."),
    )

    def add_service_errors(self, messages: Sequence[str]) -> None:
        for message in messages:
            self.add_error("networks", message)
