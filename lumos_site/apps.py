from django.apps import AppConfig

from core.logging import configure


class SiteConfig(AppConfig):
    name = "lumos_site"

    def ready(self) -> None:
        configure()
