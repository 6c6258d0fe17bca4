"""Exceptions of single tenants: made and revoked here, never changed; the page of one tenant says what holds."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextareaWidget

from audit.api import operator_actor
from core.admin import (
    EMPTY,
    Choice,
    Confirmation,
    LumosModelAdmin,
    Question,
    ReasonForm,
    action,
    admin_link,
    ago,
    confirm,
    display,
)
from core.clock import utc_now
from tenants.data import ProfileField
from tenants.errors import ProfileValueNotUsable
from tenants.models import ProfileOverride
from tenants.models.profiles import FIELD_CHOICES
from tenants.profiles.services import override_value, revoke_override
from tenants.profiles.values import NEVER_OVERRIDDEN, checked_value, value_of_text


class DoesItCount(Question):
    title = _("does it count?")
    parameter_name = "counts"

    @classmethod
    def current_answers(cls) -> tuple[Choice, ...]:
        now, standing = utc_now(), Q(revoked_at=None)
        unended = Q(expires_at=None) | Q(expires_at__gt=now)
        return (
            Choice("yes", _("Yes"), standing & unended & Q(valid_from__lte=now)),
            Choice("later", _("Not yet: it begins later"), standing & Q(valid_from__gt=now)),
            Choice("over", _("No: its time is over"), standing & Q(expires_at__lte=now)),
            Choice("revoked", _("No: revoked"), Q(revoked_at__isnull=False)),
        )


class OverrideForm(forms.ModelForm):  # type: ignore[type-arg]
    """Takes the value as text; what it may be depends on what is overridden, and the service decides."""

    value = forms.CharField(
        label=_("Value"),
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=_("A number, STANDARD or DEDICATED, FAIL_CLOSED or CONSERVATIVE; names of models one a line."),
    )

    class Meta:
        fields = ("tenant", "field", "value", "reason", "valid_from", "expires_at")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("field"):
            given["value"] = self._value(ProfileField(given["field"]), given.get("value", ""))
        return given

    def _value(self, field: ProfileField, text: str) -> object:
        try:
            return checked_value(field, value_of_text(field, text))
        except ProfileValueNotUsable as error:
            self.add_error("value", [str(message) for message in error.fields[field.value]])
            return None


@admin.register(ProfileOverride)
class ProfileOverrideAdmin(LumosModelAdmin):
    form = OverrideForm
    public_kind = "ovr"
    colours: ClassVar[dict[str, str]] = {"counts": "success", "later": "info", "over": "default", "revoked": "danger"}
    list_display = ("tenant_shown", "field", "value_shown", "state", "reason", "set_by", "begins", "until", "why")
    list_filter = (
        DoesItCount,
        ("field", ChoicesDropdownFilter),
        ("tenant", AutocompleteSelectFilter),
        ("tenant__type", ChoicesDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("tenant__name", "tenant__slug", "reason", "id")
    ordering = ("-id",)
    autocomplete_fields = ("tenant",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "field", "value", "reason")}),
        (_("When"), {"fields": (("valid_from", "expires_at"),)}),
    )
    fields = (
        "tenant",
        "field",
        "value",
        "reason",
        "set_by",
        "created_at",
        "valid_from",
        "expires_at",
        "revoked_at",
        "revoked_by",
    )
    actions = ("revoke_selected",)
    actions_detail = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "field":
            kwargs["choices"] = [choice for choice in FIELD_CHOICES if choice[0] not in NEVER_OVERRIDDEN]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: ProfileOverride, form: forms.ModelForm[ProfileOverride], change: bool
    ) -> None:
        made = override_value(
            tenant_id=obj.tenant_id,
            field=ProfileField(obj.field),
            value=form.cleaned_data["value"],
            reason=obj.reason,
            acting=operator_actor(request.user),
            now=utc_now(),
            valid_from=obj.valid_from,
            expires_at=obj.expires_at,
        )
        obj.pk = made.id

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, row: ProfileOverride) -> str:
        return admin_link("tenants_tenant_change", row.tenant.name, row.tenant_id)

    @display(description=_("value"))
    def value_shown(self, row: ProfileOverride) -> str:
        return (", ".join(row.value) or str(_("all"))) if isinstance(row.value, list) else str(row.value)

    @display(description=_("state"), label=colours)
    def state(self, row: ProfileOverride) -> tuple[str, str]:
        now = utc_now()
        if row.revoked_at is not None:
            return "revoked", str(_("revoked"))
        if row.expires_at is not None and row.expires_at <= now:
            return "over", str(_("over"))
        return ("later", str(_("begins later"))) if row.valid_from > now else ("counts", str(_("counts")))

    @display(description=_("from"), ordering="valid_from")
    def begins(self, row: ProfileOverride) -> str:
        return ago(row.valid_from)

    @display(description=_("until"), ordering="expires_at")
    def until(self, row: ProfileOverride) -> str:
        return ago(row.expires_at) if row.expires_at else EMPTY

    @display(description=_("what holds"))
    def why(self, row: ProfileOverride) -> str:
        return admin_link("quotas_tenantlimit_effective", _("explain"), row.tenant_id)

    @admin.action(description=_("Revoke the selected overrides …"), permissions=["operate"])
    def revoke_selected(self, request: HttpRequest, rows: QuerySet[ProfileOverride]) -> HttpResponse:
        return self._revoke(request, list(rows))

    @action(description=_("Revoke …"), icon="undo", permissions=["operate"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._revoke(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _revoke(self, request: HttpRequest, rows: list[ProfileOverride]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Revoke")),
            consequence=str(_("What an older override or the tenant's type says holds again, within seconds.")),
            submit=str(_("Revoke")),
            done=lambda n: ngettext("%(n)s override is revoked.", "%(n)s overrides are revoked.", n) % {"n": n},
            form_class=ReasonForm,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: ProfileOverride, form: Any) -> None:
            revoke_override(override_id=row.pk, reason=form.whole_reason, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
