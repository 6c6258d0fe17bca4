"""Numbers and instants as people read them; owns rounding for the eye, and never computes with the result."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.clock import utc_now
from core.money import minor_digits, round_money

_NO_BREAK = "\u00a0"
_STEPS: tuple[tuple[int, str], ...] = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))


def exact(number: int | Decimal) -> str:
    """All digits, grouped by the reader's language: `1,234,567`."""
    return number_format(_plain(Decimal(number)), use_l10n=True, force_grouping=True)


def short(number: int | Decimal) -> str:
    """Three digits and a letter for large counts: `1.23M`; small ones as they are."""
    for step, letter in _STEPS:
        if abs(Decimal(number)) >= step:
            scaled = Decimal(number) / step
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            rounded = scaled.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
            return f"{number_format(_plain(rounded), use_l10n=True)}{letter}"
    return exact(number)


def _plain(number: Decimal) -> Decimal:
    """Without trailing zeros, and without the exponent that Decimal would then write."""
    return number.to_integral_value() if number == number.to_integral_value() else number.normalize()


def money(amount: Decimal, currency: str) -> str:
    """`12.34 USD`; an amount under one minor unit keeps its first two digits, so that it is not shown as nothing."""
    rounded = round_money(amount, currency)
    if amount and abs(amount) < Decimal(1).scaleb(-minor_digits(currency)):
        rounded = amount.quantize(Decimal(1).scaleb(amount.adjusted() - 1), rounding=ROUND_HALF_UP)
    return f"{number_format(rounded, use_l10n=True, force_grouping=True)}{_NO_BREAK}{currency}"


def money_exact(amount: Decimal, currency: str) -> str:
    """Every digit that was computed: what a hover shows."""
    plain = _plain(amount)
    if -int(plain.as_tuple().exponent) < minor_digits(currency):
        plain = round_money(plain, currency)
    return f"{number_format(plain, use_l10n=True, force_grouping=True)}{_NO_BREAK}{currency}"


def utc_minute(instant: datetime) -> str:
    """`2026-11-21 14:05 UTC`: the same in every language, and it says its zone."""
    return f"{instant:%Y-%m-%d %H:%M}{_NO_BREAK}UTC"


def utc_second(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S}{_NO_BREAK}UTC"


def utc_day(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d}"


def until(instant: datetime, now: datetime | None = None) -> str:
    """How far away an instant is, in its two largest units: `9 days 4 h`; the past is `now`."""
    left = instant - (now or utc_now())
    if left <= timedelta(0):
        return _("now")
    days, hours, minutes = left.days, left.seconds // 3600, left.seconds % 3600 // 60
    # Named before they are used: gettext finds no message inside of an f-string.
    hour_text, minute_text = _("%(count)d h") % {"count": hours}, _("%(count)d min") % {"count": minutes}
    if days:
        day_text = ngettext("%(count)d day", "%(count)d days", days) % {"count": days}
        return f"{day_text} {hour_text}" if hours else day_text
    if hours:
        return f"{hour_text} {minute_text}"
    if minutes:
        return minute_text
    return _("%(count)d s") % {"count": max(left.seconds, 1)}
