"""Accounts of people, members and operators alike; every change is in the audit log. Roles are given elsewhere."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from audit.api import Personal, operator_actor, record
from core.admin import EMPTY, Choice, LumosModelAdmin, Question, ago, display, dotted
from core.clock import utc_now
from tenants.api import Operator, end_api_sessions_of, keep_a_super

admin.site.unregister(User)
admin.site.unregister(Group)


class WhoIsIt(Question):
    title = _("who is it?")
    parameter_name = "who"
    answers = (
        Choice("operator", _("An operator"), Q(is_staff=True, is_active=True)),
        Choice("root", _("A super operator"), Q(is_superuser=True, is_active=True)),
        Choice("member", _("A member of a tenant"), Q(is_staff=False, is_active=True, tenants__gt=0)),
        Choice("nobody", _("Nobody: in no tenant and no operator"), Q(is_staff=False, tenants=0)),
        Choice("locked", _("Locked out"), Q(is_active=False)),
    )


@admin.register(User)
class AccountAdmin(UserAdmin, LumosModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("shown", "is_active", "role_shown", "tenants_shown", "last_seen")
    list_filter = (WhoIsIt,)
    list_select_related = ("operator",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email", "is_active")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.annotate(tenants=Count("memberships"))

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Who changes an operator's account could sign in as that operator, so only a super operator may."""
        if obj is not None and obj.is_staff and not request.user.is_superuser:
            return False
        return bool(super().has_change_permission(request, obj))

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        if change and "is_active" in form.changed_data and not obj.is_active:
            keep_a_super(obj)
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            end_api_sessions_of(user_id=obj.pk, acting=operator_actor(request.user), now=utc_now())
        fields = [name for name in form.changed_data if "password" not in name]
        detail: dict[str, Any] = {"fields": fields, "active": obj.is_active}
        action = "accounts.change" if change else "accounts.create"
        target, about = Personal(obj.username), str(obj.pk)
        acting = operator_actor(request.user)
        record(action, actor=acting, tenant_id=None, target=target, detail=detail, about_account=about)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Accounts are locked, not deleted: the audit log speaks of them."""
        return False

    @display(description=_("account"), ordering="username", header=True)
    def shown(self, account: User) -> list[str]:
        return [account.username, account.get_full_name() or account.email]

    @display(description=_("operator"), ordering="operator__role")
    def role_shown(self, account: User) -> str:
        operator: Operator | None = getattr(account, "operator", None)
        return str(operator.get_role_display()) if operator else EMPTY

    @display(description=_("tenants"), ordering="tenants")
    def tenants_shown(self, account: User) -> str:
        number: int = account.tenants  # type: ignore[attr-defined]
        return dotted(number)

    @display(description=_("last sign-in"), ordering="last_login")
    def last_seen(self, account: User) -> str:
        return ago(account.last_login)
