"""One form for all settings, made from their types; owns how a value is typed in, the centre owns what fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tenants.api import Configuration, Editor, SettingFacts

_LEVELS = [("info", _("Information")), ("warning", _("Warning"))]
_ONE_LINE = 200  # characters; longer texts get more room


class Lines(forms.CharField):
    """A list, one entry a line."""

    widget = forms.Textarea({"rows": 3})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return list(dict.fromkeys(line.strip().lower() for line in str(value or "").splitlines() if line.strip()))


class NoticeInput(forms.MultiWidget):
    def __init__(self) -> None:
        super().__init__({"text": forms.Textarea({"rows": 2}), "level": forms.Select(choices=_LEVELS)})

    def decompress(self, value: Any) -> list[str]:
        return [value["text"], value["level"]] if value else ["", "info"]


class Notice(forms.MultiValueField):
    """A text and how urgent it is."""

    def __init__(self, **kwargs: Any) -> None:
        parts = (forms.CharField(required=False), forms.ChoiceField(choices=_LEVELS))
        super().__init__(fields=parts, require_all_fields=False, widget=NoticeInput(), **kwargs)

    def compress(self, data_list: Sequence[str]) -> dict[str, str]:
        text, level = data_list or ("", "info")
        return {"text": text, "level": level}


class SettingsForm(forms.Form):
    """The settings that this editor may change. `models` are offered where one is asked for."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("Why"), max_length=300, required=False, help_text=_("Kept in the history, for whoever asks later.")
    )

    def __init__(self, *args: Any, now: Configuration, editor: Editor, models: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = {facts.spec.name: facts for facts in now.settings if facts.spec.editor <= editor}
        made = {name: _field(facts, models) for name, facts in self._settings.items()}
        self.fields = {**made, **self.fields}
        self.initial = {**{name: facts.value for name, facts in self._settings.items()}, "version": now.version}

    @property
    def settings(self) -> list[forms.BoundField]:
        return [self[name] for name in self._settings]

    def changes(self) -> dict[str, Any]:
        """What differs from now; None for what is the default again."""
        given = {name: self.cleaned_data[name] for name in self._settings}
        return {
            name: None if value == self._settings[name].spec.default else value
            for name, value in given.items()
            if value != self._settings[name].value
        }

    def add_service_errors(self, message: str, fields: Mapping[str, Sequence[str]]) -> None:
        """Show what the service refused beside the setting it is about."""
        for name, complaints in (fields or {"": [message]}).items():
            for complaint in complaints:
                self.add_error(name if name in self.fields else None, complaint)


def _field(facts: SettingFacts, models: Sequence[str]) -> forms.Field:
    spec = facts.spec
    words: dict[str, str | Promise] = {"label": spec.title, "help_text": spec.description}
    if spec.name == "playground.default_model":
        names = dict.fromkeys(["", *models, facts.value])
        choices = [(name, name or _("The first that works")) for name in names]
        return forms.ChoiceField(required=False, choices=choices, **words)  # type: ignore[arg-type]
    if spec.schema["type"] == "boolean":
        return forms.BooleanField(required=False, **words)  # type: ignore[arg-type]
    if spec.schema["type"] == "integer":
        limits = {"min_value": spec.schema["minimum"], "max_value": spec.schema["maximum"]}
        return forms.IntegerField(**limits, **words)  # type: ignore[arg-type]
    if spec.schema["type"] == "array":
        return Lines(required=False, **words)  # type: ignore[arg-type]
    if spec.schema["type"] == "object":
        return Notice(required=False, **words)
    wide = spec.schema["maxLength"] > _ONE_LINE
    widget = forms.Textarea({"rows": 3}) if wide else forms.TextInput()
    return forms.CharField(required=False, max_length=spec.schema["maxLength"], widget=widget, **words)  # type: ignore[arg-type]
