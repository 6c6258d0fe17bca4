"""The fleet of schemas as the operator reads it; migrations are started on the command line."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from core.admin import ReadOnlyAdmin, ago, display
from tenants.data import SchemaStatus
from tenants.models import SchemaState

COLOURS = {
    SchemaStatus.CURRENT: "success",
    SchemaStatus.MIGRATING: "info",
    SchemaStatus.FAILED: "danger",
    SchemaStatus.DRIFTED: "warning",
}


@admin.register(SchemaState)
class SchemaStateAdmin(ReadOnlyAdmin):
    list_display = ("schema_name", "status_shown", "migrated", "took_ms", "attempts", "compared", "error")
    list_filter = (("status", ChoicesDropdownFilter),)
    search_fields = ("schema_name",)
    search_help_text = _("Schema name, t_ and the tenant's id")
    ordering = ("schema_name",)
    fields = ("schema_name", "status", "fingerprint", "attempts", "took_ms", "migrated_at", "checked_at", "error")

    @display(description=_("status"), ordering="status", label=COLOURS)
    def status_shown(self, state: SchemaState) -> tuple[str, str]:
        return state.status, state.get_status_display()

    @display(description=_("migrated"), ordering="migrated_at")
    def migrated(self, state: SchemaState) -> str:
        return ago(state.migrated_at)

    @display(description=_("compared"), ordering="checked_at")
    def compared(self, state: SchemaState) -> str:
        return ago(state.checked_at)
