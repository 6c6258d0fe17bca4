"""Accounts and groups of permissions; every change of what an account may do is in the audit log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from audit.api import operator_actor, record
from core.admin import Choice, LumosModelAdmin, Question, ago, display, dotted

admin.site.unregister(User)
admin.site.unregister(Group)


class WhoIsIt(Question):
    title = _("who is it?")
    parameter_name = "who"
    answers = (
        Choice("operator", _("An operator"), Q(is_staff=True, is_active=True)),
        Choice("root", _("An operator who may do everything"), Q(is_superuser=True, is_active=True)),
        Choice("member", _("A member of a tenant"), Q(is_staff=False, is_active=True, tenants__gt=0)),
        Choice("nobody", _("Nobody: in no tenant and no operator"), Q(is_staff=False, tenants=0)),
        Choice("locked", _("Locked out"), Q(is_active=False)),
    )


@admin.register(User)
class AccountAdmin(UserAdmin, LumosModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("shown", "is_staff", "is_superuser", "is_active", "tenants_shown", "last_seen")
    list_filter = (WhoIsIt,)
    filter_horizontal = ()
    autocomplete_fields = ("groups",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request)
        return rows.annotate(tenants=Count("memberships"))

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        super().save_model(request, obj, form, change)
        fields = [name for name in form.changed_data if "password" not in name]
        detail: dict[str, Any] = {"fields": fields, "operator": obj.is_staff, "everything": obj.is_superuser}
        action = "accounts.change" if change else "accounts.create"
        record(action, actor=operator_actor(request.user), tenant_id=None, target=obj.username, detail=detail)

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Accounts are locked, not deleted: the audit log speaks of them."""
        return False

    @display(description=_("account"), ordering="username", header=True)
    def shown(self, account: User) -> list[str]:
        return [account.username, account.get_full_name() or account.email]

    @display(description=_("tenants"), ordering="tenants")
    def tenants_shown(self, account: User) -> str:
        number: int = account.tenants  # type: ignore[attr-defined]
        return dotted(number)

    @display(description=_("last sign-in"), ordering="last_login")
    def last_seen(self, account: User) -> str:
        return ago(account.last_login)


@admin.register(Group)
class RoleAdmin(GroupAdmin, LumosModelAdmin):
    list_display = ("name", "size")
    filter_horizontal = ("permissions",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        rows: QuerySet[Group] = super().get_queryset(request)
        return rows.annotate(people=Count("user"))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        names = sorted(form.instance.permissions.values_list("codename", flat=True))
        detail = {"permissions": names}
        actor = operator_actor(request.user)
        record("groups.set", actor=actor, tenant_id=None, target=form.instance.name, detail=detail)

    @display(description=_("accounts"), ordering="people")
    def size(self, group: Group) -> str:
        number: int = group.people  # type: ignore[attr-defined]
        return dotted(number)
