"""A tenant's settings as the operator reads and changes them: one page, a form for one setting, the way back."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from audit.api import operator_actor
from core.admin import LumosModelAdmin, page, tell
from core.clock import utc_now
from core.errors import LumosError
from core.json_field import StorableJSONField
from tenants.centre.data import Editor, Json
from tenants.centre.registry import SPECS
from tenants.centre.selectors import configuration_of, versions_of
from tenants.centre.services import change_settings, roll_back_settings
from tenants.errors import TenantNotFound
from tenants.selectors import tenant_by_id


class SettingForm(forms.Form):
    """One setting's value as JSON, or nothing for its default."""

    version = forms.IntegerField(widget=forms.HiddenInput)
    name = forms.ChoiceField(
        label=_("Setting"), choices=[(spec.name, spec.title) for spec in SPECS], widget=UnfoldAdminSelectWidget
    )
    value = StorableJSONField(
        label=_("Value"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_('JSON, such as "text", 30 or ["one", "two"]. Empty: the default again.'),
    )
    reason = forms.CharField(label=_("Reason"), max_length=300, widget=UnfoldAdminTextInputWidget())


class SettingsPages(LumosModelAdmin):
    """Mixed into the tenants' admin: its pages of settings."""

    @page(permission="view")
    def settings(self, request: HttpRequest, tenant_id: str) -> HttpResponse:
        """Every setting, the newest versions, and (by POST, for whoever may change tenants) a new value."""
        try:
            tenant = tenant_by_id(tenant_id)
        except TenantNotFound as error:
            raise Http404 from error
        may_change = self.has_operate_permission(request)
        form = SettingForm(request.POST if request.method == "POST" and may_change else None)
        if form.is_valid() and self._kept(request, tenant_id, form):
            return HttpResponseRedirect(reverse("admin:tenants_tenant_settings", args=[tenant_id]))
        now = configuration_of(tenant_id)
        form.initial = {"version": now.version, "name": request.GET.get("name", "")}
        context = {
            **self.admin_site.each_context(request),
            "title": _("Settings of %(tenant)s") % {"tenant": tenant},
            "opts": self.model._meta,
            "tenant": tenant,
            "form": form if may_change else None,
            "now": now,
            "rows": [(facts, _text(facts.value), facts.spec.editor.name.lower()) for facts in now.settings],
            "versions": [
                (each, [_told(change) for change in each.changes]) for each in versions_of(tenant_id, limit=20)
            ],
        }
        return TemplateResponse(request, "admin/lumos/settings.html", context)

    @page(permission="operate")
    def roll_back_settings(self, request: HttpRequest, tenant_id: str, number: int) -> HttpResponse:
        """By POST from the page of settings."""
        back = HttpResponseRedirect(reverse("admin:tenants_tenant_settings", args=[tenant_id]))
        if request.method != "POST":
            return back
        try:
            roll_back_settings(
                tenant_id=tenant_id,
                to=number,
                editor=Editor.OPERATOR,
                acting=operator_actor(request.user),
                now=utc_now(),
            )
        except LumosError as error:
            tell(request, error)
        else:
            messages.success(request, _("The settings are those of version %(number)d again.") % {"number": number})
        return back

    def _kept(self, request: HttpRequest, tenant_id: str, form: SettingForm) -> bool:
        given = form.cleaned_data
        try:
            change_settings(
                tenant_id=tenant_id,
                values={given["name"]: given["value"]},
                editor=Editor.OPERATOR,
                acting=operator_actor(request.user),
                now=utc_now(),
                reason=given["reason"],
                version=given["version"],
            )
        except LumosError as error:
            tell(request, error)
            return False
        messages.success(request, _("The setting is kept."))
        return True


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _told(change: Any) -> str:
    before, after = (str(_("not set")) if each is None else _text(each) for each in (change.before, change.after))
    return f"{change.name}: {before} → {after}"
