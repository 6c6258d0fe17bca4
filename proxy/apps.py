from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class ProxyConfig(AppConfig):
    name = "proxy"
    verbose_name = _("Gateway")

    def ready(self) -> None:
        if settings.HEARS_EVENTS:
            from proxy import handlers  # noqa: F401 - subscribes to domain events
