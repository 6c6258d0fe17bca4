from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ScalingConfig(AppConfig):
    name = "scaling"
    verbose_name = _("Scaling")

    def ready(self) -> None:
        from scaling import handlers, isolation  # noqa: F401 - subscribes to domain events, adds checks
        from scaling.backends.local import inside

        inside.install()
