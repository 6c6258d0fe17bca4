"""What each type of tenant grants, as a form; quotas of types stand on their own page, one floor up."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from audit.api import operator_actor
from core.admin import EMPTY, LumosModelAdmin, action, ago, display
from core.clock import utc_now
from tenants.data import FailurePolicy, IsolationLevel, ProfileField, TenantType
from tenants.models import TenantTypeProfile
from tenants.profiles.services import set_profile_fields

_ISOLATION = {IsolationLevel.STANDARD: "default", IsolationLevel.DEDICATED: "info"}
_FAILURE = {FailurePolicy.FAIL_CLOSED: "warning", FailurePolicy.CONSERVATIVE: "success"}


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """Names of models stand one a line; the service decides about everything."""

    allowed_models = forms.CharField(
        label=_("Allowed models"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 4}),
        help_text=_("One name a line. Empty: all."),
    )

    class Meta:
        fields = tuple(field.value for field in ProfileField)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["allowed_models"] = "\n".join(self.instance.allowed_models)

    def clean_allowed_models(self) -> list[str]:
        lines: list[str] = self.cleaned_data["allowed_models"].splitlines()
        return sorted({line.strip() for line in lines if line.strip()})


@admin.register(TenantTypeProfile)
class TenantTypeProfileAdmin(LumosModelAdmin):
    form = ProfileForm
    list_display = ("shown", "room", "workers", "isolation", "failure", "days", "models_shown", "plan", "changed")
    ordering = ("tenant_type",)
    readonly_fields = ("tenant_type", "version", "changed_at")
    fieldsets = (
        (None, {"fields": ("tenant_type", "default_plan", "allowed_models")}),
        (
            _("Resource ceiling"),
            {"fields": (("cpu_millicores", "memory_mib"), ("storage_mib", "gpus"), "worker_slots")},
        ),
        (_("Workers"), {"fields": (("min_replicas", "max_replicas"),)}),
        (_("Rules"), {"fields": ("isolation_level", "failure_policy", "retention_days")}),
        (_("Change"), {"fields": (("version", "changed_at"),)}),
    )
    actions_detail = ("see_quotas", "see_overrides")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: TenantTypeProfile, form: forms.ModelForm[TenantTypeProfile], change: bool
    ) -> None:
        values = {ProfileField(name): form.cleaned_data[name] for name in form.changed_data}
        kind, acting = TenantType(obj.tenant_type), operator_actor(request.user)
        set_profile_fields(tenant_type=kind, values=values, acting=acting, now=utc_now())

    @display(description=_("type"), ordering="tenant_type")
    def shown(self, row: TenantTypeProfile) -> str:
        return row.get_tenant_type_display()

    @display(description=_("resource ceiling"))
    def room(self, row: TenantTypeProfile) -> str:
        gpus = f", {row.gpus} GPU" if row.gpus else ""
        return f"{row.cpu_millicores} m, {row.memory_mib} MiB, {row.storage_mib} MiB{gpus}"

    @display(description=_("workers"))
    def workers(self, row: TenantTypeProfile) -> str:
        return f"{row.min_replicas} … {row.max_replicas} / {row.worker_slots}"

    @display(description=_("isolation"), ordering="isolation_level", label=_ISOLATION)
    def isolation(self, row: TenantTypeProfile) -> tuple[str, str]:
        words = {"STANDARD": _("standard"), "DEDICATED": _("dedicated")}
        return row.isolation_level, str(words[row.isolation_level])

    @display(description=_("without counters"), ordering="failure_policy", label=_FAILURE)
    def failure(self, row: TenantTypeProfile) -> tuple[str, str]:
        words = {"FAIL_CLOSED": _("fail closed"), "CONSERVATIVE": _("conservative")}
        return row.failure_policy, str(words[row.failure_policy])

    @display(description=_("kept (days)"), ordering="retention_days")
    def days(self, row: TenantTypeProfile) -> int:
        return row.retention_days

    @display(description=_("models"))
    def models_shown(self, row: TenantTypeProfile) -> str:
        return ", ".join(row.allowed_models) or str(_("all"))

    @display(description=_("plan of new tenants"), ordering="default_plan")
    def plan(self, row: TenantTypeProfile) -> str:
        return row.default_plan or EMPTY

    @display(description=_("changed"), ordering="changed_at")
    def changed(self, row: TenantTypeProfile) -> str:
        return ago(row.changed_at)

    @action(description=_("Quotas of this type"), icon="speed", permissions=["view"])
    def see_quotas(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.to_list("quotas_typelimit", tenant_type__exact=object_id)

    @action(description=_("Exceptions of tenants"), icon="alt_route", permissions=["view"])
    def see_overrides(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.to_list("tenants_profileoverride", tenant__type__exact=object_id)
