"""Numbers, money and times on the operators' front page."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from core.cells import ago, cash_text
from core.ids import is_ulid

register = template.Library()
_STEPS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


@register.filter
def count(value: int | Decimal) -> str:
    """A number with its thousands apart and without empty decimals."""
    return number_format(int(value) if value == int(value) else value, force_grouping=True)


@register.filter
def short(value: int) -> str:
    """1234567 as 1.2 M; give the exact number in a title."""
    for size, letter in _STEPS:
        if abs(value) >= size:
            part = (Decimal(value) / size).quantize(Decimal("0.1"), ROUND_HALF_UP)
            return f"{number_format(part)} {letter}"
    return number_format(value)


@register.filter
def cash(value: Decimal, currency: str) -> str:
    return cash_text(value, currency)


register.filter("since", ago)


@register.filter
def shorter(target: str) -> str:
    """A public id by its kind and last six characters; anything else as it is."""
    kind, _underscore, identifier = target.partition("_")
    return f"{kind}_…{identifier[-6:]}" if is_ulid(identifier) else target


@register.filter
def provider_state(state: str) -> str:
    words = {
        "healthy": _("answers"),
        "failing": _("fails"),
        "idle": _("not asked"),
        "no_key": _("has no key"),
        "disabled": _("switched off"),
    }
    return words[state]
