"""Cells of lists: times with both faces, amounts as exact as stored, links by name; nothing here queries."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from core.clock import utc_now
from core.ids import prefixed
from core.money import minor_digits

EMPTY = "\N{EN DASH}"


def ago(moment: datetime | None) -> str | SafeString:
    """`3 minutes ago`, with the instant in UTC on hover."""
    if moment is None:
        return EMPTY
    now = utc_now()
    exact = date_format(moment, "Y-m-d H:i:s") + " UTC"
    if abs(moment - now) < timedelta(minutes=1):
        text = _("just now")
    elif moment > now:
        text = _("in %(span)s") % {"span": timesince(now, moment, depth=1)}
    else:
        text = _("%(span)s ago") % {"span": timesince(moment, now, depth=1)}
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, text)


def plain(value: Decimal) -> str:
    """The number as people type it: no exponent, no empty decimals."""
    return format(value.normalize(), "f")


def cash_text(value: Decimal, currency: str) -> str:
    """Money in its minor unit; sums under one keep four places, since a request costs less than a cent."""
    digits = minor_digits(currency)
    places = digits if value == 0 or abs(value) >= 1 else max(digits, 4)
    return f"{number_format(value, decimal_pos=places, force_grouping=True)} {currency}".rstrip()


def amount(value: Decimal | None, currency: str) -> str | SafeString:
    """The same in a cell, with the exact value on hover."""
    if value is None:
        return EMPTY
    return format_html(
        '<span class="lumos-number" title="{} {}">{}</span>', format(value, "f"), currency, cash_text(value, currency)
    )


def dotted(number: int | Decimal | None) -> str | SafeString:
    """A count with its thousands apart."""
    if number is None:
        return EMPTY
    return format_html('<span class="lumos-number">{}</span>', number_format(number, force_grouping=True))


def admin_link(page: str, text: object, *args: object, query: str = "") -> SafeString:
    """A link to an admin page by its name, such as `tenants_tenant_change`."""
    return format_html('<a class="lumos-link" href="{}{}">{}</a>', reverse(f"admin:{page}", args=args), query, text)


def public_link(page: str, kind: str, identifier: str) -> str | SafeString:
    """The short form of a public id, linked to its page, whole on hover."""
    if not identifier:
        return EMPTY
    whole = prefixed(kind, identifier)
    url = reverse(f"admin:{page}", args=[identifier])
    return format_html(
        '<a class="lumos-link lumos-nowrap" href="{}" title="{}">{}_…{}</a>', url, whole, kind, identifier[-6:]
    )
