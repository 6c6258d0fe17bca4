"""API keys and operator tokens: made here and shown once, revoked here, never edited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

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
    shown_once,
)
from core.clock import utc_now
from core.network_field import NetworksField
from tenants.admin.labels import KEY_COLOURS, KeyColumns, token_state
from tenants.admin.networks import LiftsNetworks
from tenants.data import KeyLimits, Scope
from tenants.models import ApiKey, OperatorToken
from tenants.services.keys import create_api_key, create_operator_token, revoke_api_key, revoke_operator_token

_LIMITS = ("requests_per_minute", "tokens_per_minute", "expires_at")
_SOON = timedelta(days=7)
_NEVER_EXPIRES = Q(revoked_at=None, expires_at=None)


class IsItUsable(Question):
    title = _("does it open anything?")
    parameter_name = "usable"

    @classmethod
    def current_answers(cls) -> Sequence[Choice]:
        now = utc_now()
        fresh = Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
        return (
            Choice("live", _("Yes: live, and billed"), fresh & Q(live=True)),
            Choice("test", _("Only simulated models: test keys"), fresh & Q(live=False)),
            Choice("soon", _("Not for long: ends within a week"), fresh & Q(expires_at__lte=now + _SOON)),
            Choice("expired", _("No: expired"), Q(revoked_at=None, expires_at__lte=now)),
            Choice("revoked", _("No: revoked"), Q(revoked_at__isnull=False)),
        )


class IsItRisky(Question):
    title = _("is it risky?")
    parameter_name = "risk"
    answers = (
        Choice("forever", _("Never expires"), _NEVER_EXPIRES),
        Choice("unlimited", _("Has no limit of its own"), Q(requests_per_minute=None, tokens_per_minute=None)),
        Choice("writes_keys", _("Can make other keys"), Q(scopes__contains=[Scope.KEYS_WRITE.value])),
    )


class NewKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[
            (Scope.INFERENCE.value, _("Call models")),
            (Scope.USAGE_READ.value, _("Read usage, limits and bill")),
            (Scope.KEYS_READ.value, _("List keys")),
            (Scope.KEYS_WRITE.value, _("Create and revoke keys")),
            (Scope.AUDIT_READ.value, _("Read the audit log")),
        ],
        initial=[Scope.INFERENCE.value],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )

    allowed_networks = NetworksField(
        label=_("Networks"),
        help_text=_("Where it may be used, one network a line. Empty: from everywhere its tenant may call from."),
        widget=UnfoldAdminTextareaWidget,
    )

    class Meta:
        model = ApiKey
        fields = (
            "tenant",
            "name",
            "live",
            "scopes",
            "requests_per_minute",
            "tokens_per_minute",
            "expires_at",
            "allowed_networks",
        )


class _MadeOnce(LumosModelAdmin):
    """Rows that are made with a secret and never edited."""

    secret = ""

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        opts = self.model._meta
        back = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
        return shown_once(self, request, title=str(obj), secret=obj.plaintext, note=obj.name, back=back)


@admin.register(ApiKey)
class ApiKeyAdmin(KeyColumns, _MadeOnce, LiftsNetworks):
    form = NewKeyForm
    public_kind = "key"
    list_display = ("key_shown", "tenant_shown", "state", "scopes_shown", "limits_shown", "expires_shown", "made_shown")
    list_filter = (IsItUsable, IsItRisky, ("tenant", AutocompleteSelectFilter))
    list_select_related = ("tenant",)
    search_fields = ("name", "prefix", "last_four", "id", "tenant__name", "tenant__slug")
    search_help_text = _("Name, first twelve or last four characters, key_ id or tenant")
    ordering = ("-created_at", "-id")
    autocomplete_fields = ("tenant",)
    actions = ("revoke_selected",)
    actions_row = ("revoke",)
    actions_detail = ("revoke", "lift_networks")
    add_fieldsets = (
        (None, {"fields": ("tenant", "name", "live", "scopes")}),
        (_("Limits under the tenant's own"), {"fields": (*_LIMITS, "allowed_networks")}),
    )
    fieldsets = (
        (None, {"fields": ("tenant", "name", "key_shown", "live", "scopes", "allowed_models")}),
        (_("Limits"), {"fields": (*_LIMITS, "allowed_networks", "revoked_at")}),
        (_("Identity"), {"fields": ("public_id", "created_at", "created_by", "pepper")}),
    )
    readonly_fields = ("key_shown", "public_id", "pepper")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm[ApiKey], change: bool) -> None:
        made, plaintext = create_api_key(
            tenant_id=obj.tenant_id,
            name=obj.name,
            live=obj.live,
            scopes=form.cleaned_data["scopes"],
            limits=KeyLimits(obj.requests_per_minute, obj.tokens_per_minute),
            expires_at=obj.expires_at,
            networks=form.cleaned_data["allowed_networks"],
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        obj.__dict__.update(made.__dict__)
        obj.plaintext = plaintext  # type: ignore[attr-defined]

    @display(description=_("public id"))
    def public_id(self, key: ApiKey) -> str:
        return key.public_id

    @display(description=_("version of the pepper"))
    def pepper(self, key: ApiKey) -> int:
        return key.pepper_version

    @display(description=_("key"), header=True)
    def key_shown(self, key: ApiKey) -> list[str]:
        return [key.name, str(key)]

    @display(description=_("tenant"), ordering="tenant__name")
    def tenant_shown(self, key: ApiKey) -> str:
        return admin_link("tenants_tenant_change", key.tenant.name, key.tenant_id)

    @display(description=_("per minute"))
    def limits_shown(self, key: ApiKey) -> str:
        parts = (
            (key.requests_per_minute, _("%(n)s requests")),
            (key.tokens_per_minute, _("%(n)s tokens")),
        )
        return ", ".join(str(text) % {"n": f"{number:,}"} for number, text in parts if number is not None) or EMPTY

    @display(description=_("expires"), ordering="expires_at")
    def expires_shown(self, key: ApiKey) -> str:
        return ago(key.expires_at) if key.expires_at else str(_("never"))

    @display(description=_("created"), ordering="created_at")
    def made_shown(self, key: ApiKey) -> str:
        return ago(key.created_at)

    @admin.action(description=_("Revoke the selected keys …"), permissions=["operate"])
    def revoke_selected(self, request: HttpRequest, rows: QuerySet[ApiKey]) -> HttpResponse:
        return self._revoke(request, list(rows.select_related("tenant")))

    @action(description=_("Revoke …"), icon="block", permissions=["operate"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._revoke(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _revoke(self, request: HttpRequest, rows: list[ApiKey]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Revoke")),
            consequence=str(_("Programs that use these keys are refused within a second. This cannot be undone.")),
            submit=str(_("Revoke for good")),
            done=lambda n: ngettext("%(n)s key is revoked.", "%(n)s keys are revoked.", n) % {"n": n},
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: ApiKey, form: forms.Form) -> None:
            revoke_api_key(tenant_id=row.tenant_id, key_id=row.pk, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)


@admin.register(OperatorToken)
class OperatorTokenAdmin(_MadeOnce):
    list_display = ("name", "account", "state", "ending", "expires_at", "created_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "last_four")
    ordering = ("-created_at",)
    fields = ("name", "expires_at")
    readonly_fields = ("account", "ending")
    actions_row = ("revoke",)
    actions_detail = ("revoke",)

    def get_fields(self, request: HttpRequest, obj: OperatorToken | None = None) -> tuple[str, ...]:
        return ("name", "account", "ending", "expires_at", "revoked_at", "created_at") if obj else self.fields

    def save_model(
        self, request: HttpRequest, obj: OperatorToken, form: forms.ModelForm[OperatorToken], change: bool
    ) -> None:
        """For oneself only: nobody makes a credential that acts under another's name."""
        made, plaintext = create_operator_token(
            user_id=int(request.user.pk or 0),
            name=obj.name,
            expires_at=obj.expires_at,
            acting=operator_actor(request.user),
            now=utc_now(),
        )
        obj.__dict__.update(made.__dict__)
        obj.plaintext = plaintext  # type: ignore[attr-defined]

    @display(description=_("account"), ordering="user__username")
    def account(self, token: OperatorToken) -> str:
        return token.user.get_username()

    @display(description=_("ends with"))
    def ending(self, token: OperatorToken) -> str:
        return token.last_four

    @display(description=_("state"), label=KEY_COLOURS)
    def state(self, token: OperatorToken) -> tuple[str, str]:
        return token_state(token)

    @action(description=_("Revoke …"), icon="block", permissions=["operate"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        what = Confirmation(
            title=str(_("Revoke")),
            consequence=str(_("Programs that use this token are refused at once. This cannot be undone.")),
            submit=str(_("Revoke for good")),
            done=lambda n: str(_("The token is revoked.")),
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: OperatorToken, form: forms.Form) -> None:
            revoke_operator_token(token_id=row.pk, acting=acting, now=now)

        return confirm(self, request, list(OperatorToken.objects.filter(pk=object_id)), what, perform)
