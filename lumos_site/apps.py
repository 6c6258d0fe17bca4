from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps

from core.logging import configure


class SiteConfig(AppConfig):
    name = "lumos_site"
    default = True

    def ready(self) -> None:
        import_module("lumos_site.celery")  # whoever sends a task must send it to our broker
        configure()


class OperatorAdminConfig(admin_apps.AdminConfig):
    """Django's admin with our site as its default one."""

    default = False
    default_site = "lumos_site.operator_site.OperatorAdminSite"
