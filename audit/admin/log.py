"""The operators' view of the audit log: read, filter, never write."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter, RangeDateTimeFilter

from audit.models import AuditEntry
from audit.selectors import named
from core.admin import (
    Choice,
    OfTenant,
    Question,
    ReadOnlyAdmin,
    ago,
    display,
    public_link,
)

_KINDS = {"operator": "primary", "member": "info", "key": "warning", "system": "default"}


class WhoActed(Question):
    title = _("who acted?")
    parameter_name = "who"
    answers = (
        Choice("operator", _("An operator"), Q(actor_kind="operator")),
        Choice("member", _("A member of a tenant"), Q(actor_kind="member")),
        Choice("key", _("A program with a key"), Q(actor_kind="key")),
        Choice("system", _("Lumos itself"), Q(actor_kind="system")),
    )


def _shown(entry: AuditEntry) -> AuditEntry:
    return named(entry, gone=str(_("(erased)")))


def _told(entry: AuditEntry) -> Iterator[str]:
    """The reason, what was changed from what to what, and the other facts, each as a short text."""
    if entry.reason:
        yield entry.reason
    before, after = entry.before or {}, entry.after or {}
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old != new:
            yield f"{name} {old} → {new}" if name in before else f"{name} {new}"
    for name, value in entry.detail.items():
        if value not in ("", None):
            yield f"{name}: {value}"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("when", "actor_shown", "action", "target_shown", "tenant_shown", "why")
    list_filter = (WhoActed, ("action", FieldTextFilter), OfTenant, ("at", RangeDateTimeFilter))
    search_fields = ("action", "target", "actor_label", "request_id", "names__target", "names__actor_label")
    search_help_text = _("Action, target, actor or request")
    ordering = ("-at", "-id")
    fields = (
        *("at", "actor_kind", "actor_label", "actor_id", "action", "target", "tenant_shown"),
        *("reason", "before", "after", "detail", "request_id"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        rows: QuerySet[AuditEntry] = super().get_queryset(request)
        return rows.select_related("names")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> AuditEntry | None:
        """With its names, for a page that only shows."""
        found: AuditEntry | None = super().get_object(request, object_id, from_field)
        return found and _shown(found)

    @display(description=_("when"), ordering="at")
    def when(self, entry: AuditEntry) -> str:
        return ago(entry.at)

    @display(description=_("actor"), label=_KINDS)
    def actor_shown(self, entry: AuditEntry) -> tuple[str, str]:
        return entry.actor_kind, _shown(entry).actor_label

    @display(description=_("target"), ordering="target")
    def target_shown(self, entry: AuditEntry) -> str:
        return _shown(entry).target

    @display(description=_("tenant"))
    def tenant_shown(self, entry: AuditEntry) -> str:
        return public_link("tenants_tenant_change", "ten", entry.tenant_id)

    @display(description=_("detail"))
    def why(self, entry: AuditEntry) -> str:
        text = ", ".join(_told(_shown(entry)))
        return text if len(text) <= 90 else f"{text[:89]}…"
