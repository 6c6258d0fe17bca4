"""Backups as the operator reads them; made, proven and restored by schedule and command line."""

from __future__ import annotations

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin import OfTenant, ReadOnlyAdmin, ago, display
from tenants.data import BackupStatus
from tenants.models import TenantBackup

COLOURS = {BackupStatus.DONE: "success", BackupStatus.RUNNING: "info", BackupStatus.FAILED: "danger"}


@admin.register(TenantBackup)
class TenantBackupAdmin(ReadOnlyAdmin):
    public_kind = "bak"
    list_display = ("public_id", "tenant_shown", "made", "kind", "status_shown", "size_shown", "proven", "error")
    list_filter = (OfTenant, ("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    search_fields = ("id", "tenant_id")
    search_help_text = _("Backup or tenant id")
    ordering = ("-created_at",)
    fields = (
        "tenant_shown",
        "kind",
        "status",
        "created_at",
        "took_ms",
        "size",
        "sha256",
        "tables",
        "proven_at",
        "error",
    )
    readonly_fields = ("tenant_shown",)

    @display(description=_("tenant"))
    def tenant_shown(self, backup: TenantBackup) -> str:
        return f"ten_{backup.tenant_id}"

    @display(description=_("made"), ordering="created_at")
    def made(self, backup: TenantBackup) -> str:
        return ago(backup.created_at)

    @display(description=_("status"), ordering="status", label=COLOURS)
    def status_shown(self, backup: TenantBackup) -> tuple[str, str]:
        return backup.status, backup.get_status_display()

    @display(description=_("size"), ordering="size")
    def size_shown(self, backup: TenantBackup) -> str:
        return filesizeformat(backup.size) if backup.size else "-"

    @display(description=_("proven"), ordering="proven_at")
    def proven(self, backup: TenantBackup) -> str:
        return ago(backup.proven_at)
