"""Providers and their keys, which are written here and never read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from audit.api import operator_actor
from core.admin import (
    EMPTY,
    Choice,
    Confirmation,
    LumosModelAdmin,
    Question,
    action,
    admin_link,
    ago,
    confirm,
    display,
    dotted,
)
from core.clock import utc_now
from core.json_field import StorableJSONField
from proxy.data import ProviderKind
from proxy.models import Provider, ProviderKey
from proxy.services import (
    add_provider,
    change_provider,
    options_fault,
    remove_provider_key,
    set_provider_key,
)

SECRET = UnfoldAdminPasswordWidget({"autocomplete": "new-password"}, render_value=False)


class DoesItWork(Question):
    title = _("can it be asked?")
    parameter_name = "usable"
    answers = (
        Choice("yes", _("Yes"), Q(enabled=True) & (Q(has_key=True) | Q(kind=ProviderKind.DEMO))),
        Choice("no_key", _("No: it has no key"), Q(has_key=False, kind=ProviderKind.OPENAI)),
        Choice("off", _("No: switched off"), Q(enabled=False)),
    )


class ProviderForm(forms.ModelForm):  # type: ignore[type-arg]
    api_key = forms.CharField(
        label=_("API key"),
        required=False,
        widget=SECRET,
        help_text=_("Sealed when it is saved, and shown to nobody again. Empty: the key stays as it is."),
    )

    options = StorableJSONField(
        label=_("Options"), required=False, shape=options_fault, widget=UnfoldAdminTextareaWidget({"rows": 2})
    )

    class Meta:
        model = Provider
        fields = ("name", "kind", "base_url", "options", "enabled")


@admin.register(Provider)
class ProviderAdmin(LumosModelAdmin):
    form = ProviderForm
    list_display = ("name", "kind", "address", "key_shown", "models_shown", "enabled", "made")
    list_filter = (DoesItWork,)
    search_fields = ("name", "base_url")
    ordering = ("name",)
    actions = ("switch_on", "switch_off")
    fields = ("name", "kind", "base_url", "api_key", "options", "enabled")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Provider]:
        rows: QuerySet[Provider] = super().get_queryset(request)
        has_key = Exists(ProviderKey.objects.filter(provider=OuterRef("pk")))
        return rows.annotate(has_key=has_key, on_offer=Count("models", filter=Q(models__enabled=True)))

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        return ("name", "kind") if obj else ()

    def save_model(self, request: HttpRequest, obj: Provider, form: forms.ModelForm[Provider], change: bool) -> None:
        acting, now = operator_actor(request.user), utc_now()
        terms: dict[str, Any] = {"base_url": obj.base_url, "options": obj.options or {}, "enabled": obj.enabled}
        if change:
            change_provider(name=obj.name, acting=acting, now=now, **terms)
        else:
            made = add_provider(name=obj.name, kind=obj.kind, acting=acting, now=now, **terms)
            obj.__dict__.update(made.__dict__)
        if form.cleaned_data["api_key"]:
            set_provider_key(provider=obj.name, plaintext=form.cleaned_data["api_key"], acting=acting, now=now)

    @display(description=_("address"))
    def address(self, provider: Provider) -> str:
        return provider.base_url or EMPTY

    @display(description=_("key"), label={"yes": "success", "no": "warning", "none": "default"})
    def key_shown(self, provider: Provider) -> tuple[str, str]:
        if provider.kind == ProviderKind.DEMO:
            return "none", str(_("needs none"))
        has_key: bool = provider.has_key  # type: ignore[attr-defined]
        return ("yes", str(_("set"))) if has_key else ("no", str(_("missing")))

    @display(description=_("models on offer"), ordering="on_offer")
    def models_shown(self, provider: Provider) -> str:
        number: int = provider.on_offer  # type: ignore[attr-defined]
        return admin_link("proxy_model_changelist", dotted(number), query=f"?provider__id__exact={provider.pk}")

    @display(description=_("created"), ordering="created_at")
    def made(self, provider: Provider) -> str:
        return ago(provider.created_at)

    @admin.action(description=_("Switch the selected providers on …"), permissions=["operate"])
    def switch_on(self, request: HttpRequest, rows: QuerySet[Provider]) -> HttpResponse:
        return self._switch(request, list(rows), enabled=True)

    @admin.action(description=_("Switch the selected providers off …"), permissions=["operate"])
    def switch_off(self, request: HttpRequest, rows: QuerySet[Provider]) -> HttpResponse:
        return self._switch(request, list(rows), enabled=False)

    def _switch(self, request: HttpRequest, rows: list[Provider], *, enabled: bool) -> HttpResponse:
        off = _("Requests for their models are refused within a second.")
        what = Confirmation(
            title=str(_("Switch on") if enabled else _("Switch off")),
            consequence=str(_("Their enabled models can be asked again within a second.") if enabled else off),
            submit=str(_("Switch on") if enabled else _("Switch off")),
            done=lambda n: ngettext("%(n)s provider is changed.", "%(n)s providers are changed.", n) % {"n": n},
            danger=not enabled,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Provider, form: forms.Form) -> None:
            change_provider(name=row.name, enabled=enabled, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)


class ProviderKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    plaintext = forms.CharField(
        label=_("Key"), widget=SECRET, help_text=_("Sealed when it is saved, and shown to nobody again.")
    )

    class Meta:
        model = ProviderKey
        fields = ("provider", "name")

    def _get_validation_exclusions(self) -> set[str]:
        """A key of the same name is replaced: no complaint that there is one."""
        return {*super()._get_validation_exclusions(), "name"}  # type: ignore[misc]


@admin.register(ProviderKey)
class ProviderKeyAdmin(LumosModelAdmin):
    form = ProviderKeyForm
    list_display = ("provider", "name", "ends_with", "since")
    list_filter = (("provider", RelatedDropdownFilter),)
    list_select_related = ("provider",)
    search_fields = ("provider__name", "name", "last_four")
    ordering = ("provider__name", "name")
    actions_detail = ("remove",)
    actions_row = ("remove",)
    add_fieldsets = ((None, {"fields": ("provider", "name", "plaintext")}),)
    fieldsets = ((None, {"fields": ("provider", "name", "ends_with", "set_at")}),)
    readonly_fields = ("ends_with",)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: ProviderKey, form: forms.ModelForm[ProviderKey], change: bool
    ) -> None:
        acting, plaintext = operator_actor(request.user), form.cleaned_data["plaintext"]
        made = set_provider_key(
            provider=obj.provider.name, name=obj.name, plaintext=plaintext, acting=acting, now=utc_now()
        )
        obj.__dict__.update(made.__dict__)

    @display(description=_("ends with"))
    def ends_with(self, key: ProviderKey) -> str:
        return f"…{key.last_four}"

    @display(description=_("set"), ordering="set_at")
    def since(self, key: ProviderKey) -> str:
        return ago(key.set_at)

    @action(description=_("Remove …"), icon="delete", permissions=["operate"])
    def remove(self, request: HttpRequest, object_id: str) -> HttpResponse:
        what = Confirmation(
            title=str(_("Remove")),
            consequence=str(_("Lumos forgets this key; the provider itself still knows it.")),
            submit=str(_("Remove")),
            done=lambda n: str(_("The key is removed.")),
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: ProviderKey, form: forms.Form) -> None:
            remove_provider_key(provider=row.provider.name, name=row.name, acting=acting, now=now)

        rows = list(self.get_queryset(request).select_related("provider").filter(pk=object_id))
        return confirm(self, request, rows, what, perform)
