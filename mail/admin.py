"""The operators' view of outgoing mail: what waits, what failed; never what it says."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import FieldTextFilter

from core.admin import Choice, OfTenant, Question, ReadOnlyAdmin, ago, display, public_link
from mail.models import OutgoingMail


class WasItSent(Question):
    title = _("was it sent?")
    parameter_name = "sent"
    answers = (
        Choice("yes", _("Yes"), Q(sent_at__isnull=False)),
        Choice("waits", _("Not yet: it waits"), Q(due_at__isnull=False, attempts=0)),
        Choice("fails", _("Not yet: it failed and is tried again"), Q(due_at__isnull=False, attempts__gt=0)),
        Choice("no", _("No: given up"), Q(due_at=None, sent_at=None)),
    )


@admin.register(OutgoingMail)
class OutgoingMailAdmin(ReadOnlyAdmin):
    list_display = ("to", "kind", "tenant_shown", "made", "done", "attempts", "last_error")
    list_filter = (WasItSent, ("kind", FieldTextFilter), OfTenant)
    search_fields = ("to", "kind", "last_error")
    ordering = ("-created_at", "-id")
    fields = ("to", "kind", "language", "tenant_shown", "created_at", "due_at", "sent_at", "attempts", "last_error")

    @display(description=_("tenant"))
    def tenant_shown(self, mail: OutgoingMail) -> str:
        return public_link("tenants_tenant_change", "ten", mail.tenant_id)

    @display(description=_("created"), ordering="created_at")
    def made(self, mail: OutgoingMail) -> str:
        return ago(mail.created_at)

    @display(description=_("sent"), ordering="sent_at")
    def done(self, mail: OutgoingMail) -> str:
        return ago(mail.sent_at)
