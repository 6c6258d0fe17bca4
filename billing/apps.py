from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    verbose_name = _("Billing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Quota counters that were lost are rebuilt from billing's books."""
        if settings.HEARS_EVENTS:
            from billing import handlers  # noqa: F401 - takes part in tenants' lives
            from billing.selectors import period_totals
            from quotas.api import register_totals_provider

            register_totals_provider(period_totals)
