"""Limits and levels as people read them."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from core.money import from_micro
from quotas.data import Dimension, Unit


def shown_value(dimension: str, value: int | None) -> str:
    """A limit as people read it: money in whole units of the tenant's currency."""
    if value is None:
        return str(_("unlimited"))
    number = from_micro(value).normalize() if Dimension(dimension).unit is Unit.MICRO else value
    return number_format(number, force_grouping=True)
