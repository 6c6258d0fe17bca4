"""A list of networks as a person writes one: by lines, spaces or commas; owns the field, `core.networks` the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

_ATTRIBUTES = {"rows": 4, "spellcheck": "false", "placeholder": "203.0.113.0/24\n2001:db8::/32"}


class NetworksField(forms.CharField):
    """Its value is a list of texts, which nobody has read as networks yet."""

    def __init__(
        self, *, label: str | _StrPromise, help_text: str | _StrPromise, widget: type[forms.Textarea] = forms.Textarea
    ) -> None:
        shown = widget(dict(_ATTRIBUTES))
        super().__init__(label=label, help_text=help_text, widget=shown, required=False)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return (super().to_python(value) or "").replace(",", " ").split()
