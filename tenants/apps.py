from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("Tenants")

    def ready(self) -> None:
        if settings.HEARS_EVENTS:
            from tenants.allocation import lifecycle  # noqa: F401 - takes part in lives
            from tenants.webhooks import fanout, upkeep  # noqa: F401 - subscribes to events, takes part in lives' ends
