"""Who operates the platform and in which role; owns the account's two flags, and that one super operator remains."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, record
from tenants.errors import AccountNotFound, LastSuperOperator
from tenants.models import Operator
from tenants.roles import OperatorRole


@transaction.atomic
def set_operator_role(*, user_id: int, role: OperatorRole, acting: Actor, now: datetime) -> Operator:
    """Make the account an operator, or give it another role, from the next request on.

    Raises AccountNotFound, and LastSuperOperator when nobody who may do everything would remain.
    """
    account = _locked(user_id)
    if role is not OperatorRole.SUPER:
        keep_a_super(account)
    before = Operator.objects.filter(user=account).values_list("role", flat=True).first()
    operator, _made = Operator.objects.update_or_create(
        user=account, defaults={"role": role}, create_defaults={"role": role, "created_at": now}
    )
    _set_flags(account, staff=True, everything=role is OperatorRole.SUPER)
    detail = {"from": before or "", "to": role.value}
    _tell("operators.set_role", account, acting, detail)
    return operator


@transaction.atomic
def dismiss_operator(*, user_id: int, acting: Actor, now: datetime) -> None:
    """The account stays, with its memberships; its sessions and tokens open nothing of the operators' any longer.

    Raises AccountNotFound and LastSuperOperator.
    """
    account = _locked(user_id)
    keep_a_super(account)
    Operator.objects.filter(user=account).delete()
    _set_flags(account, staff=False, everything=False)
    _tell("operators.dismiss", account, acting, {})


def keep_a_super(account: User) -> None:
    """Raise LastSuperOperator when the account is the last usable one that may do everything. Inside a transaction."""
    supers = User.objects.select_for_update().filter(is_superuser=True, is_active=True).order_by("pk")
    if {each.pk for each in supers} == {account.pk}:
        raise LastSuperOperator(next_step=_("Give somebody else the role first."))


def _locked(user_id: int) -> User:
    account = User.objects.select_for_update().filter(pk=user_id).first()
    if account is None:
        raise AccountNotFound()
    return account


def _tell(action: str, account: User, acting: Actor, detail: dict[str, str]) -> None:
    target, about = Personal(account.get_username()), str(account.pk)
    record(action, actor=acting, tenant_id=None, target=target, detail=detail, about_account=about)


def _set_flags(account: User, *, staff: bool, everything: bool) -> None:
    account.is_staff, account.is_superuser = staff, everything
    account.save(update_fields=["is_staff", "is_superuser"])
