"""The clicks that turn a tenant's life: each asks on a page of its own, then calls one service for each row."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from audit.api import operator_actor
from core.admin import Confirmation, LumosModelAdmin, ReasonForm, confirm
from core.clock import utc_now
from tenants.conf import deletion_grace
from tenants.services.deletion import cancel_deletion, delete_tenant
from tenants.services.lifecycle import resume_tenant, suspend_tenant


class DeletionForm(ReasonForm):
    """The name, typed: the click that cannot be made by mistake."""

    typed_name = forms.CharField(
        label=_("The tenant's name"),
        max_length=120,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("Type it exactly as it is shown above."),
    )
    export = forms.BooleanField(
        label=_("Make a last backup"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=_("It can be fetched until the grace period ends, and goes with the tenant then."),
    )
    field_order = ("typed_name", "reason", "ticket", "export")


def ask_to_suspend(admin: LumosModelAdmin, request: HttpRequest, rows: list[Any]) -> HttpResponse:
    what = Confirmation(
        title=str(_("Suspend")),
        consequence=str(_("Their traffic stops within five seconds, also answers that are being streamed. "
                          "Data, keys and plans stay, and resuming brings everything back.")),
        submit=str(_("Suspend")),
        done=lambda n: ngettext("%(n)s tenant is suspended.", "%(n)s tenants are suspended.", n) % {"n": n},
        form_class=ReasonForm,
        danger=True,
    )  # fmt: skip
    acting, now = operator_actor(request.user), utc_now()
    return confirm(
        admin,
        request,
        rows,
        what,
        lambda row, form: suspend_tenant(tenant_id=row.pk, reason=form.whole_reason, acting=acting, now=now),
    )


def ask_to_resume(admin: LumosModelAdmin, request: HttpRequest, rows: list[Any]) -> HttpResponse:
    what = Confirmation(
        title=str(_("Resume")),
        consequence=str(_("Their keys work again within five seconds.")),
        submit=str(_("Resume")),
        done=lambda n: ngettext("%(n)s tenant is active again.", "%(n)s tenants are active again.", n) % {"n": n},
    )
    acting, now = operator_actor(request.user), utc_now()
    perform = lambda row, form: resume_tenant(tenant_id=row.pk, acting=acting, now=now)  # noqa: E731
    return confirm(admin, request, rows, what, perform)


def ask_to_delete(admin: LumosModelAdmin, request: HttpRequest, rows: list[Any]) -> HttpResponse:
    days = deletion_grace().days
    what = Confirmation(
        title=str(_("Delete")),
        consequence=str(_("Its traffic stops within five seconds. For %(days)s days it can be taken back; then its "
                          "data, keys, members, workers and backups are deleted for good. Only bills and the audit log "
                          "stay, without its name and those of its people; entries from before names were kept apart "
                          "keep theirs until their month leaves the log.")) % {"days": days},
        submit=str(_("Delete")),
        done=lambda n: ngettext("%(n)s tenant will be deleted.", "%(n)s tenants will be deleted.", n) % {"n": n},
        form_class=DeletionForm,
        danger=True,
    )  # fmt: skip
    acting, now = operator_actor(request.user), utc_now()

    def perform(row: Any, form: Any) -> object:
        wish = {"typed_name": form.cleaned_data["typed_name"], "export": form.cleaned_data["export"]}
        return delete_tenant(tenant_id=row.pk, reason=form.whole_reason, acting=acting, now=now, **wish)

    return confirm(admin, request, rows, what, perform)


def ask_to_keep(admin: LumosModelAdmin, request: HttpRequest, rows: list[Any]) -> HttpResponse:
    what = Confirmation(
        title=str(_("Take the deletion back")),
        consequence=str(_("It is again what it was before: active, suspended or archived.")),
        submit=str(_("Take it back")),
        done=lambda n: ngettext("%(n)s tenant is kept.", "%(n)s tenants are kept.", n) % {"n": n},
    )
    acting, now = operator_actor(request.user), utc_now()
    perform = lambda row, form: cancel_deletion(tenant_id=row.pk, acting=acting, now=now)  # noqa: E731
    return confirm(admin, request, rows, what, perform)
