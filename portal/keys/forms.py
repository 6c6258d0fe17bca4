"""What a person fills in for a new key; owns the words and the shape, the service owns the rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from core.network_field import NetworksField
from tenants.api import KeyLimits, Scope

_DAYS = [
    ("", _("Never")),
    ("7", _("In 7 days")),
    ("30", _("In 30 days")),
    ("90", _("In 90 days")),
    ("365", _("In a year")),
]
_SCOPES = [
    (Scope.INFERENCE.value, _("Inference: call models through /v1")),
    (Scope.USAGE_READ.value, _("Read usage and bill through the REST API")),
    (Scope.KEYS_READ.value, _("List keys through the REST API")),
    (Scope.KEYS_WRITE.value, _("Create and revoke keys through the REST API")),
    (Scope.AUDIT_READ.value, _("Read the audit log through the REST API")),
]
_KINDS = [("live", _("Live: billed and counted")), ("test", _("Test: counted, never billed"))]


class NewKeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("What will use it, such as “website chat” or “nightly batch”.")
    )
    kind = forms.ChoiceField(label=_("Kind"), choices=_KINDS, initial="live", widget=forms.RadioSelect)
    scopes = forms.MultipleChoiceField(
        label=_("May be used to"), choices=_SCOPES, initial=[Scope.INFERENCE.value], widget=forms.CheckboxSelectMultiple
    )
    expires_in_days = forms.ChoiceField(label=_("Expires"), choices=_DAYS, required=False)
    requests_per_minute = forms.IntegerField(
        label=_("Requests per minute"),
        min_value=1,
        max_value=1_000_000,
        required=False,
        help_text=_("Empty: no limit of its own."),
    )
    tokens_per_minute = forms.IntegerField(
        label=_("Tokens per minute"),
        min_value=1,
        max_value=1_000_000_000,
        required=False,
        help_text=_("Empty: no limit of its own."),
    )

    networks = NetworksField(
        label=_("Networks"),
        help_text=_("Where it may be used, one network a line, such as 203.0.113.0/24. Empty: from everywhere."),
    )

    def __init__(self, *args: Any, grantable: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = cast("forms.MultipleChoiceField", self.fields["scopes"])
        scopes.choices = [(name, words) for name, words in _SCOPES if name in grantable]

    def limits(self) -> KeyLimits:
        data = self.cleaned_data
        return KeyLimits(data.get("requests_per_minute"), data.get("tokens_per_minute"))

    def expires_at(self, now: datetime) -> datetime | None:
        days = self.cleaned_data.get("expires_in_days")
        return now + timedelta(days=int(days)) if days else None

    def add_service_errors(self, fields: Mapping[str, Sequence[str]]) -> None:
        """Show what the service refused beside the field it is about."""
        for name, messages in fields.items():
            for message in messages:
                self.add_error(name if name in self.fields else None, message)
