from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from core.lifecycle import keeps


class AuditConfig(AppConfig):
    name = "audit"
    verbose_name = _("Audit")

    def ready(self) -> None:
        from audit import stream  # noqa: F401 - tells every process of each event

        keeps(
            "audit_auditentry",
            "the log is append-only and chained; names stand apart and go, months by LUMOS_AUDIT_KEEP_MONTHS",
        )
