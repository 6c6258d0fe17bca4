"""Operators and their fixed roles: who has which, given and taken here by super operators."""

from __future__ import annotations

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.api import operator_actor
from core.admin import Confirmation, LumosModelAdmin, action, ago, confirm, display
from core.clock import utc_now
from tenants.models import Operator
from tenants.roles import OperatorRole
from tenants.services.operators import dismiss_operator, set_operator_role

COLOURS = {
    OperatorRole.SUPER: "danger",
    OperatorRole.SECURITY: "warning",
    OperatorRole.BILLING: "info",
    OperatorRole.SUPPORT: "success",
    OperatorRole.READ_ONLY: "default",
}


@admin.register(Operator)
class OperatorAdmin(LumosModelAdmin):
    list_display = ("account", "role_shown", "active", "last_seen", "since")
    list_filter = (("role", ChoicesDropdownFilter),)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email")
    ordering = ("user__username",)
    autocomplete_fields = ("user",)
    add_fieldsets = ((None, {"fields": ("user", "role")}),)
    fields = ("account", "role", "created_at")
    readonly_fields = ("account", "created_at")
    actions = ("dismiss_selected",)
    actions_row = ("dismiss",)
    actions_detail = ("dismiss",)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Operators are dismissed, by the action that says what it does; their accounts stay."""
        return False

    def save_model(self, request: HttpRequest, obj: Operator, form: forms.ModelForm[Operator], change: bool) -> None:
        made = set_operator_role(
            user_id=obj.user_id, role=OperatorRole(obj.role), acting=operator_actor(request.user), now=utc_now()
        )
        obj.__dict__.update(made.__dict__)

    @display(description=_("account"), ordering="user__username", header=True)
    def account(self, operator: Operator) -> list[str]:
        account: User = operator.user
        return [account.get_username(), account.email]

    @display(description=_("role"), ordering="role", label=COLOURS)
    def role_shown(self, operator: Operator) -> tuple[str, str]:
        return operator.role, operator.get_role_display()

    @display(description=_("account is open"), ordering="user__is_active")
    def active(self, operator: Operator) -> str:
        return str(_("yes") if operator.user.is_active else _("locked"))

    @display(description=_("last sign-in"), ordering="user__last_login")
    def last_seen(self, operator: Operator) -> str:
        return ago(operator.user.last_login)

    @display(description=_("since"), ordering="created_at")
    def since(self, operator: Operator) -> str:
        return ago(operator.created_at)

    @admin.action(description=_("Dismiss the selected operators …"), permissions=["operate"])
    def dismiss_selected(self, request: HttpRequest, rows: QuerySet[Operator]) -> HttpResponse:
        return self._dismiss(request, list(rows.select_related("user")))

    @action(description=_("Dismiss …"), icon="person_off", permissions=["operate"])
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._dismiss(request, list(self.get_queryset(request).filter(pk=object_id)))

    def _dismiss(self, request: HttpRequest, rows: list[Operator]) -> HttpResponse:
        what = Confirmation(
            title=str(_("Dismiss")),
            consequence=str(_("Their sessions and tokens open nothing of the operators' any longer. Accounts stay.")),
            submit=str(_("Dismiss")),
            done=lambda n: ngettext("%(n)s operator is dismissed.", "%(n)s operators are dismissed.", n) % {"n": n},
            danger=True,
        )
        acting, now = operator_actor(request.user), utc_now()

        def perform(row: Operator, form: forms.Form) -> None:
            dismiss_operator(user_id=row.user_id, acting=acting, now=now)

        return confirm(self, request, rows, what, perform)
