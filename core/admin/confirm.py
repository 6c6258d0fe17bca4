"""One page between a click and a change: what will happen, to what, and why; only its POST changes anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from core.admin.base import LumosModelAdmin, tell
from core.errors import LumosError

MOST = 500
_MARK = "confirmed"


class NoInput(forms.Form):
    """Nothing to fill in."""


class ReasonForm(forms.Form):
    """Why, for the audit log and for whoever asks later."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=300,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=gettext_lazy("Kept in the audit log. The tenant's administrators may see it."),
    )
    ticket = forms.CharField(
        label=gettext_lazy("Ticket"), max_length=80, required=False, widget=UnfoldAdminTextInputWidget()
    )

    @property
    def whole_reason(self) -> str:
        """Reason and ticket as the one text that is stored."""
        ticket = self.cleaned_data["ticket"]
        return f"{self.cleaned_data['reason']} [{ticket}]" if ticket else str(self.cleaned_data["reason"])


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the page says. `done` makes the message from the number of rows that were changed."""

    title: str
    consequence: str
    submit: str
    done: Callable[[int], str]
    form_class: type[forms.Form] = NoInput
    danger: bool = False


def confirm(
    admin: LumosModelAdmin,
    request: HttpRequest,
    rows: Sequence[Model],
    what: Confirmation,
    perform: Callable[[Any, Any], object],
) -> HttpResponse:
    """The page, or when it was sent: `perform(row, form)` for each row, then back with a count and each refusal."""
    if len(rows) > MOST:
        messages.error(request, _("Select at most %(most)s rows at once.") % {"most": MOST})
        return HttpResponseRedirect(_back(admin, request, []))
    sent = request.method == "POST" and _MARK in request.POST
    form = what.form_class(request.POST if sent else None)
    if sent and form.is_valid():
        _perform_all(request, rows, what, form, perform)
        return HttpResponseRedirect(_back(admin, request, rows))
    context = {
        **admin.admin_site.each_context(request),
        "title": what.title,
        "what": what,
        "rows": rows,
        "form": form,
        "opts": admin.model._meta,
        "mark": _MARK,
        "action": request.POST.get("action", ""),
        "checkbox_name": ACTION_CHECKBOX_NAME,
        "back": _back(admin, request, rows),
    }
    return TemplateResponse(request, "admin/lumos/confirm.html", context)


def _perform_all(
    request: HttpRequest,
    rows: Sequence[Model],
    what: Confirmation,
    form: forms.Form,
    perform: Callable[[Any, Any], object],
) -> None:
    changed = 0
    for row in rows:
        try:
            perform(row, form)
        except LumosError as error:
            error.message = f"{row}: {error.message}"
            tell(request, error)
        else:
            changed += 1
    if changed:
        messages.success(request, what.done(changed))


def _back(admin: LumosModelAdmin, request: HttpRequest, rows: Sequence[Model]) -> str:
    """The list for a list's action, with its filters; the row's own page for a page's action."""
    opts = admin.model._meta
    base = f"{admin.admin_site.name}:{opts.app_label}_{opts.model_name}"
    if "action" in request.POST or len(rows) != 1:
        return request.get_full_path() if "action" in request.POST else reverse(f"{base}_changelist")
    return reverse(f"{base}_change", args=[rows[0].pk])
