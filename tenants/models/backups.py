"""Backups of tenants: where each file is, what is in it, whether it was proven."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.clock import utc_now
from core.ids import prefixed
from tenants.data import BackupKind, BackupStatus
from tenants.models.identity import id_field


class TenantBackup(models.Model):
    """One file. It keeps the tenant's id without a foreign key: the file may outlive the row of the tenant."""

    id = id_field()
    tenant_id = models.CharField(_("tenant"), max_length=26, db_index=True)
    kind = models.CharField(
        _("kind"),
        max_length=10,
        choices=[(BackupKind.SCHEDULED, _("Scheduled")), (BackupKind.EXPORT, _("Export"))],
    )
    status = models.CharField(
        _("status"),
        max_length=10,
        default=BackupStatus.RUNNING,
        choices=[
            (BackupStatus.RUNNING, _("Running")),
            (BackupStatus.DONE, _("Done")),
            (BackupStatus.FAILED, _("Failed")),
        ],
    )
    size = models.BigIntegerField(_("size (bytes)"), null=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64, default="", blank=True)
    tables = models.JSONField(_("tables"), default=dict, blank=True)
    error = models.CharField(_("error"), max_length=500, default="", blank=True)
    created_at = models.DateTimeField(_("created"), default=utc_now)
    took_ms = models.PositiveIntegerField(_("took (ms)"), null=True)
    proven_at = models.DateTimeField(_("proven"), null=True)

    class Meta:
        verbose_name = _("backup")
        verbose_name_plural = _("backups")
        indexes = [models.Index(fields=["tenant_id", "-created_at"], name="backup_tenant_latest")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return prefixed("bak", self.id)
