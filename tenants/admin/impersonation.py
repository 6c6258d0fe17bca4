"""Going into a tenant's portal as somebody of it, and the list of who did."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminSelectWidget

from audit.api import operator_actor
from core.admin import EMPTY, Confirmation, ReadOnlyAdmin, ReasonForm, action, admin_link, ago, confirm, display
from core.clock import utc_now
from tenants.data import ImpersonationEnd
from tenants.impersonation import MAY_BEGIN
from tenants.models import Domain, Impersonation, Membership, Tenant
from tenants.services.impersonation import begin_impersonation, end_impersonation

COLOURS = {"open": "warning", "raised": "danger", "waiting": "info", "over": "default"}


def form_of(tenant: Tenant) -> type[ReasonForm]:
    """Why, and as whom: the workspace, or one of its members."""
    members = Membership.objects.filter(tenant=tenant, user__is_active=True).select_related("user")
    people = [(member.pk, str(member)) for member in members.order_by("user__username")]

    class WhomForm(ReasonForm):
        whom = forms.ChoiceField(
            label=_("As whom"),
            choices=[("", _("The workspace as such, with an admin's view")), *people],
            required=False,
            widget=UnfoldAdminSelectWidget,
        )

    return WhomForm


class Impersonating:
    """The button of a tenant's page."""

    def has_impersonate_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return bool(request.user.has_perm(MAY_BEGIN))

    @action(description=_("Act in the portal …"), icon="supervisor_account", permissions=["impersonate"])
    def impersonate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        page = cast("Any", self)
        rows = page._one(request, object_id)
        tenant = Tenant.objects.get(pk=object_id)
        begun: list[str] = []

        def perform(row: Tenant, form: Any) -> None:
            _made, token = begin_impersonation(
                tenant_id=row.pk,
                operator=cast("User", request.user),
                session_key=str(request.session.session_key),
                membership_id=form.cleaned_data["whom"],
                reason=form.whole_reason,
                acting=operator_actor(request.user),
                now=utc_now(),
            )
            begun.append(token)

        answer = confirm(page, request, rows, _question(tenant), perform)
        portal = origin_of(request, tenant)
        if begun:
            return HttpResponseRedirect(f"{portal}/impersonation/{begun[0]}/")
        # The form's answer leads to the tenant's host, which the policy of pages would forbid.
        answer._csp_update = {"form-action": [portal]}  # type: ignore[attr-defined]
        return answer


def _question(tenant: Tenant) -> Confirmation:
    return Confirmation(
        title=str(_("Act in the portal")),
        consequence=str(_("For half an hour, read-only, in the portal of this tenant. Its people see who came, when "
                          "and why, and both audit logs have it.")),
        submit=str(_("Begin")),
        done=lambda n: ngettext("An impersonation began.", "Impersonations began.", n),
        form_class=form_of(tenant),
    )  # fmt: skip


def origin_of(request: HttpRequest, tenant: Tenant) -> str:
    """Where the tenant's portal is, on the port that this page was asked on."""
    domain = Domain.objects.filter(tenant=tenant).order_by("-is_primary", "pk").first()
    _host, port = split_domain_port(request.get_host())
    return f"{request.scheme}://{domain}:{port}" if port else f"{request.scheme}://{domain}"


@admin.register(Impersonation)
class ImpersonationAdmin(ReadOnlyAdmin):
    list_display = ("operator_shown", "tenant_shown", "as_shown", "state", "reason", "began")
    list_filter = (("tenant", AutocompleteSelectFilter),)
    list_select_related = ("tenant",)
    search_fields = ("operator_label", "acts_as", "tenant__name", "tenant__slug", "reason")
    ordering = ("-created_at", "-id")
    fields = (
        *("operator_shown", "tenant_shown", "as_shown", "reason", "created_at", "entered_at", "expires_at"),
        *("raised_at", "raise_reason", "ended_at", "end_reason"),
    )
    actions_row = ("end",)
    actions_detail = ("end",)

    @display(description=_("operator"), ordering="operator_label")
    def operator_shown(self, row: Impersonation) -> str:
        return row.operator_label

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, row: Impersonation) -> str:
        return admin_link("tenants_tenant_change", row.tenant.name, row.tenant_id)

    @display(description=_("acts as"), ordering="acts_as")
    def as_shown(self, row: Impersonation) -> str:
        return row.acts_as or EMPTY

    @display(description=_("state"), label=COLOURS)
    def state(self, row: Impersonation) -> tuple[str, str]:
        if row.ended_at is not None or row.expires_at <= utc_now():
            return "over", str(row.get_end_reason_display() or _("Its time was up"))
        if row.entered_at is None:
            return "waiting", str(_("not entered"))
        return ("raised", str(_("may change"))) if row.is_raised else ("open", str(_("reads")))

    @display(description=_("began"), ordering="created_at")
    def began(self, row: Impersonation) -> str:
        return ago(row.created_at)

    @action(description=_("End …"), icon="cancel", permissions=["operate"])
    def end(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rows: QuerySet[Impersonation] = self.get_queryset(request).filter(pk=object_id)
        what = Confirmation(
            title=str(_("End")),
            consequence=str(_("The operator is out of the tenant's portal with the next request.")),
            submit=str(_("End")),
            done=lambda n: ngettext("The impersonation is over.", "The impersonations are over.", n),
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Impersonation, form: forms.Form) -> None:
            end_impersonation(impersonation_id=row.pk, why=ImpersonationEnd.ENDED, acting=acting, now=now)

        return confirm(self, request, list(rows), what, perform)
