"""JSON as a person types it into a form; owns what can be stored, the shape is said by whoever uses the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from django.utils.translation import gettext_lazy as _

DEEPEST = 16  # brackets within brackets; nothing that we keep comes near

Shape = Callable[[Any], str]


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON's")


class _Decoder(json.JSONDecoder):
    """JSON as its standard says it: without NaN and Infinity."""

    def __init__(self, **options: Any) -> None:
        super().__init__(parse_constant=_no_number, **options)


class StorableJSONField(forms.JSONField):
    """Whatever cannot be read or stored is a fault of the field: PostgreSQL refuses NUL and half characters.

    `shape` looks at the value and says what is wrong with it, "" when nothing is.
    """

    default_error_messages = {"invalid": _("This is not JSON.")}

    def __init__(self, *, shape: Shape | None = None, **options: Any) -> None:
        self.shape = shape
        super().__init__(decoder=_Decoder, **options)

    def to_python(self, value: Any) -> Any:
        text = value.strip() if type(value) is str else value
        try:
            found = super().to_python(text)
            if not isinstance(text, str) or text in self.empty_values:
                return found
            _check(found)
        except (ValueError, RecursionError) as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid", params={"value": value}) from error
        if self.shape is not None and (fault := self.shape(found)):
            raise ValidationError(fault, code="shape")
        return found

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed is shown again as it was typed, when it is not usable."""
        try:
            found = super().bound_data(data, initial)
            _check(found)
        except (ValueError, RecursionError):
            return InvalidJSONInput(data)
        return found


def _check(value: Any, depth: int = 0) -> None:
    """Raise ValueError for what JSON can say and PostgreSQL does not keep, and for what is too deep."""
    if depth > DEEPEST:
        raise ValueError("too deep")
    if isinstance(value, str):
        value.encode()  # a UnicodeEncodeError, for half a character, is a ValueError
        if "\0" in value:
            raise ValueError("NUL")
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError("not finite")
    elif isinstance(value, dict | list):
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts:
            _check(part, depth + 1)


def is_object(value: Any) -> str:
    return "" if isinstance(value, dict) else str(_("This must be an object: {…}"))


def is_list(value: Any) -> str:
    return "" if isinstance(value, list) else str(_("This must be a list: […]"))


def is_list_of_objects(value: Any) -> str:
    fits = isinstance(value, list) and all(isinstance(part, dict) for part in value)
    return "" if fits else str(_("This must be a list of objects: [{…}]"))
