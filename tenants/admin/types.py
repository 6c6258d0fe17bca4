"""Giving tenants another type: one action of the tenants' pages, beside those of their lives."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget

from audit.api import operator_actor
from core.admin import Confirmation, LumosModelAdmin, ReasonForm, action, confirm
from core.clock import utc_now
from tenants.data import TenantType
from tenants.models import Tenant
from tenants.models.tenant import TYPE_CHOICES
from tenants.profiles.services import set_tenant_type


class TypeForm(ReasonForm):
    """Which type, and why."""

    tenant_type = forms.ChoiceField(label=_("Type"), choices=TYPE_CHOICES, widget=UnfoldAdminSelectWidget())
    field_order = ("tenant_type", "reason", "ticket")


class TypeActions(LumosModelAdmin):
    """To be inherited by the tenants' pages."""

    @admin.action(description=_("Give the selected tenants another type …"), permissions=["operate"])
    def change_type_selected(self, request: HttpRequest, rows: QuerySet[Tenant]) -> HttpResponse:
        return self._change_type(request, list(rows))

    @action(description=_("Change the type …"), icon="category", permissions=["operate"])
    def change_type(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._change_type(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _change_type(self, request: HttpRequest, rows: list[Any]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Change the type")),
            consequence=str(_("Quotas and profile of the new type hold within five seconds, on every gateway. "
                              "Plan, own limits and overrides stay.")),
            submit=str(_("Change the type")),
            done=lambda n: ngettext(
                "%(n)s tenant has another type.", "%(n)s tenants have another type.", n
            ) % {"n": n},
            form_class=TypeForm,
        )  # fmt: skip
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Tenant, form: Any) -> None:
            kind = TenantType(form.cleaned_data["tenant_type"])
            set_tenant_type(tenant_id=row.pk, tenant_type=kind, reason=form.whole_reason, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
