"""The operators' view of the outbox: what waits, what was given up; sent again or discarded."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import FieldTextFilter

from audit.acting import operator_actor
from audit.models import OutboxEvent
from audit.outbox import discard_event, resend_event
from core.admin import Choice, Confirmation, Question, ReadOnlyAdmin, ReasonForm, ago, confirm, display
from core.clock import utc_now


class IsItStuck(Question):
    title = _("is it stuck?")
    parameter_name = "stuck"
    _late: ClassVar[timedelta] = timedelta(minutes=1)

    @classmethod
    def current_answers(cls) -> tuple[Choice, ...]:
        late = Q(delivered_at=None, created_at__lt=utc_now() - cls._late)
        return (
            Choice("failed", _("Yes: given up"), Q(delivered_at=None, failed_at__isnull=False)),
            Choice("late", _("Yes: waiting for more than a minute"), late),
            Choice("tried", _("It failed at least once"), Q(attempts__gt=0)),
            Choice("done", _("No: delivered"), Q(delivered_at__isnull=False)),
        )


_STATES = {"delivered": "success", "waiting": "info", "failed": "danger"}
_STATE_NAMES = {"delivered": _("delivered"), "waiting": _("waiting"), "failed": _("given up")}


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    list_display = ("kind", "state_shown", "made", "delivered", "tries", "last_fault")
    list_filter = (IsItStuck, ("type_name", FieldTextFilter))
    search_fields = ("type_name", "last_error")
    ordering = ("-created_at", "-id")
    actions = ("resend_selected", "discard_selected")

    @display(description=_("state"), label=_STATES)
    def state_shown(self, event: OutboxEvent) -> tuple[str, str]:
        state = "delivered" if event.delivered_at else "failed" if event.failed_at else "waiting"
        return state, str(_STATE_NAMES[state])

    @display(description=_("event"), ordering="type_name")
    def kind(self, event: OutboxEvent) -> str:
        return event.type_name

    @display(description=_("attempts"), ordering="attempts")
    def tries(self, event: OutboxEvent) -> int:
        return event.attempts

    @display(description=_("last error"))
    def last_fault(self, event: OutboxEvent) -> str:
        return event.last_error

    @display(description=_("created"), ordering="created_at")
    def made(self, event: OutboxEvent) -> str:
        return ago(event.created_at)

    @display(description=_("delivered"), ordering="delivered_at")
    def delivered(self, event: OutboxEvent) -> str:
        return ago(event.delivered_at)

    @admin.action(description=_("Send the selected events again …"), permissions=["operate"])
    def resend_selected(self, request: HttpRequest, rows: QuerySet[OutboxEvent]) -> HttpResponse:
        acting, now = operator_actor(request.user), utc_now()
        what = Confirmation(
            title=str(_("Send again")),
            consequence=str(_("Within seconds each is handed to those whom it did not reach yet.")),
            submit=str(_("Send again")),
            done=lambda n: ngettext("%(n)s event is due again.", "%(n)s events are due again.", n) % {"n": n},
        )

        def perform(row: OutboxEvent, form: forms.Form) -> None:
            resend_event(event_id=row.pk, acting=acting, now=now)

        return confirm(self, request, list(rows), what, perform)

    @admin.action(description=_("Discard the selected events …"), permissions=["operate"])
    def discard_selected(self, request: HttpRequest, rows: QuerySet[OutboxEvent]) -> HttpResponse:
        acting = operator_actor(request.user)
        what = Confirmation(
            title=str(_("Discard")),
            consequence=str(_("They are never delivered. The audit log keeps what they said.")),
            submit=str(_("Discard")),
            done=lambda n: ngettext("%(n)s event is discarded.", "%(n)s events are discarded.", n) % {"n": n},
            form_class=ReasonForm,
            danger=True,
        )

        def perform(row: OutboxEvent, form: ReasonForm) -> None:
            discard_event(event_id=row.pk, acting=acting, reason=form.whole_reason)

        return confirm(self, request, list(rows), what, perform)
