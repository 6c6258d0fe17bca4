"""What the isolation report of a tenant found, each time that it was run; owns rows that nobody changes."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.isolation.registry import Outcome
from tenants.models.identity import id_field


class IsolationReport(models.Model):
    """One run. `checks` are dictionaries of isolation.registry.CheckResult; no evidence names another tenant."""

    id = id_field()
    tenant_id = models.CharField(_("tenant"), max_length=26)
    outcome = models.CharField(
        _("outcome"),
        max_length=16,
        choices=[
            (Outcome.PASSED, _("Passed")),
            (Outcome.FAILED, _("Failed")),
            (Outcome.COULD_NOT_RUN, _("Incomplete")),
        ],
    )
    checks = models.JSONField(_("checks"), default=list)
    ran_at = models.DateTimeField(_("ran"), default=utc_now)
    took_ms = models.PositiveIntegerField(_("took (ms)"))
    asked_by = models.CharField(_("asked by"), max_length=200)

    class Meta:
        verbose_name = _("isolation report")
        verbose_name_plural = _("isolation reports")
        indexes = [
            models.Index(fields=["tenant_id", "-id"], name="isolation_by_tenant"),
            models.Index(fields=["-ran_at"], name="isolation_by_time"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return prefixed("iso", self.id)
