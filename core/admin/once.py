"""The page that shows a new secret this one time; keeps nothing and lets nothing keep it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import ModelAdmin
from django.http import HttpRequest
from django.template.response import TemplateResponse


def shown_once(
    admin: ModelAdmin[Any], request: HttpRequest, *, title: str, secret: str, note: str, back: str
) -> TemplateResponse:
    """The answer to the POST that made the secret; going back or reloading does not show it again."""
    context = {
        **admin.admin_site.each_context(request),
        "title": title,
        "secret": secret,
        "note": note,
        "back": back,
        "opts": admin.model._meta,
    }
    answer = TemplateResponse(request, "admin/lumos/secret_once.html", context)
    answer["Cache-Control"] = "no-store"
    answer["Referrer-Policy"] = "no-referrer"
    return answer
