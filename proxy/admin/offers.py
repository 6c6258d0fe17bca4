"""The models on offer: what tenants ask for, and who answers."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from audit.api import operator_actor
from core.admin import Confirmation, LumosModelAdmin, admin_link, confirm, display, dotted
from core.clock import utc_now
from proxy.data import ModelKind
from proxy.models import Model
from proxy.services import (
    add_model,
    change_model,
)


class ModelForm(forms.ModelForm):  # type: ignore[type-arg]
    kinds = forms.MultipleChoiceField(
        label=_("Can be asked for"),
        choices=[(ModelKind.CHAT.value, _("Chat")), (ModelKind.EMBEDDINGS.value, _("Embeddings"))],
        initial=[ModelKind.CHAT.value],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    class Meta:
        model = Model
        fields = (
            "name",
            "provider",
            "upstream_name",
            "kinds",
            "context",
            "max_output",
            "default_output",
            "enabled",
        )


@admin.register(Model)
class ModelAdmin(LumosModelAdmin):
    form = ModelForm
    list_display = (
        "name",
        "provider_shown",
        "upstream_name",
        "kinds_shown",
        "context_shown",
        "output_shown",
        "enabled",
    )
    list_filter = (("provider", RelatedDropdownFilter), "enabled")
    list_select_related = ("provider",)
    search_fields = ("name", "upstream_name")
    ordering = ("name",)
    actions = ("switch_on", "switch_off")

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("name",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Model, form: forms.ModelForm[Model], change: bool) -> None:
        terms: dict[str, Any] = {
            name: getattr(obj, name)
            for name in ("upstream_name", "kinds", "context", "max_output", "default_output", "enabled")
        }
        store = change_model if change else add_model
        acting = operator_actor(request.user)
        made = store(name=obj.name, provider=obj.provider.name, acting=acting, now=utc_now(), **terms)
        if isinstance(made, Model):
            obj.__dict__.update(made.__dict__)

    @display(description=_("provider"), ordering="provider__name")
    def provider_shown(self, model: Model) -> str:
        return admin_link("proxy_provider_change", model.provider.name, model.provider_id)

    @display(description=_("can be asked for"))
    def kinds_shown(self, model: Model) -> str:
        return ", ".join(model.kinds)

    @display(description=_("context"), ordering="context")
    def context_shown(self, model: Model) -> str:
        return dotted(model.context or None)

    @display(description=_("most output"), ordering="max_output")
    def output_shown(self, model: Model) -> str:
        return dotted(model.max_output)

    @admin.action(description=_("Switch the selected models on …"), permissions=["operate"])
    def switch_on(self, request: HttpRequest, rows: QuerySet[Model]) -> HttpResponse:
        return self._switch(request, list(rows), enabled=True)

    @admin.action(description=_("Switch the selected models off …"), permissions=["operate"])
    def switch_off(self, request: HttpRequest, rows: QuerySet[Model]) -> HttpResponse:
        return self._switch(request, list(rows), enabled=False)

    def _switch(self, request: HttpRequest, rows: list[Model], *, enabled: bool) -> HttpResponse:
        off = _("Requests for them are refused within a second.")
        what = Confirmation(
            title=str(_("Switch on") if enabled else _("Switch off")),
            consequence=str(_("They can be asked again within a second.") if enabled else off),
            submit=str(_("Switch on") if enabled else _("Switch off")),
            done=lambda n: ngettext("%(n)s model is changed.", "%(n)s models are changed.", n) % {"n": n},
            danger=not enabled,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Model, form: forms.Form) -> None:
            change_model(name=row.name, enabled=enabled, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
