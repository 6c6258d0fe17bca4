"""What portal templates need beyond Django's own: numbers, instants, icons and the frame of the page."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portal import formats
from portal.members.forms import ROLE_NAMES
from portal.navigation import NavItem, navigation_of
from portal.settings.theme import theme_of
from tenants.api import Role

register = template.Library()

register.filter("exact", formats.exact)
register.filter("short", formats.short)
register.filter("utc_minute", formats.utc_minute)
register.filter("utc_second", formats.utc_second)
register.filter("utc_day", formats.utc_day)
register.filter("until", formats.until)


@register.filter
def role_name(role: Role) -> Promise:
    return ROLE_NAMES[role]


@register.filter
def as_json(value: object) -> str:
    """A value of a setting as it is written in the API and in files; a text stays as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@register.filter
def money(amount: Decimal, currency: str) -> SafeString:
    """The amount for the eye, with every digit on hover."""
    return format_html(
        '<span class="money" title="{}">{}</span>',
        formats.money_exact(amount, currency),
        formats.money(amount, currency),
    )


@register.filter
def quantity(number: int | Decimal) -> SafeString:
    """A count for the eye, with every digit on hover."""
    return format_html('<span class="count" title="{}">{}</span>', formats.exact(number), formats.short(number))


@register.filter
def instant(moment: datetime) -> SafeString:
    """An instant in UTC, readable by machines."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        formats.utc_second(moment),
        formats.utc_minute(moment),
    )


@register.filter
def day(moment: datetime) -> SafeString:
    """A day in UTC, with its instant on hover; for dense tables."""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        formats.utc_second(moment),
        formats.utc_day(moment),
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture that says nothing of its own; words stand beside it."""
    address = f"{static('portal/icons.svg')}#{name}"
    return format_html('<svg class="icon" aria-hidden="true" focusable="false"><use href="{}"></use></svg>', address)


@register.simple_tag(takes_context=True)
def navigation(context: dict[str, Any]) -> list[NavItem]:
    return navigation_of(context["request"])


@register.simple_tag(takes_context=True)
def theme(context: dict[str, Any]) -> str:
    """`light`, `dark` or `system`; pages that are rendered without a request follow the system."""
    request = context.get("request")
    return theme_of(request) if request else "system"
