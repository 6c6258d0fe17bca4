"""What is known of each schema of the fleet: its migrations, its shape, its last trouble."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tenants.data import SchemaStatus


class SchemaState(models.Model):
    """One row per schema. The schema's own records stay the truth; this is what the operator reads."""

    schema_name = models.CharField(_("schema"), max_length=63, primary_key=True)
    status = models.CharField(
        _("status"),
        max_length=12,
        choices=[
            (SchemaStatus.CURRENT, _("Current")),
            (SchemaStatus.MIGRATING, _("Migrating")),
            (SchemaStatus.FAILED, _("Failed")),
            (SchemaStatus.DRIFTED, _("Drifted")),
        ],
    )
    fingerprint = models.CharField(_("fingerprint"), max_length=32, default="", blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.CharField(_("error"), max_length=500, default="", blank=True)
    took_ms = models.PositiveIntegerField(_("took (ms)"), null=True)
    migrated_at = models.DateTimeField(_("migrated"), null=True)
    checked_at = models.DateTimeField(_("compared"), null=True)

    class Meta:
        verbose_name = _("schema")
        verbose_name_plural = _("schemas")
        indexes = [models.Index(fields=["status"], name="schema_state_status")]

    def __str__(self) -> str:
        return self.schema_name
