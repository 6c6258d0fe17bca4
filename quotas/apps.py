"""Registers the quotas app and its checks."""

from __future__ import annotations

from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class QuotasConfig(AppConfig):
    name = "quotas"
    verbose_name = _("Quotas")

    def ready(self) -> None:
        from quotas import checks  # noqa: F401 - registers checks

        if settings.HEARS_EVENTS:
            from quotas import handlers  # noqa: F401 - subscribes to domain events
