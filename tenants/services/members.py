"""Who is a member and in which role; owns that a tenant never loses its last owner.

Every write holds the tenant's row, so that two owners who leave at the same moment do so one after the other.
`owners` says whether the one who acts may make, change and remove owners.
"""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, emit, record
from core.errors import InvalidInput, PermissionRefused
from tenants.data import MemberChanged, Role, TenantStatus
from tenants.errors import LastOwner, MemberNotFound, TenantNotFound, WrongStatus
from tenants.models import Membership, Tenant
from tenants.proved_addresses import check_may_lead
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName


@transaction.atomic
def add_member(
    *, tenant_id: str, email: str, role: Role, acting: Actor, now: datetime, password: str = ""
) -> Membership:
    """Open the tenant to the account of that address, making the account when there is none yet.

    For seeds and configuration files, whose author answers for the address; people are invited.
    """
    lock_tenant(tenant_id)
    account = find_account(email) or make_account(email, password=password)
    before = Membership.objects.filter(user=account, tenant_id=tenant_id).first()
    if before is not None and before.role == Role.OWNER and role is not Role.OWNER:
        _keep_an_owner(before)
    membership, _made = Membership.objects.update_or_create(
        user=account, tenant_id=tenant_id, defaults={"role": role}, create_defaults={"role": role, "created_at": now}
    )
    _tell("members.add", membership, acting, {"email": account.get_username(), "role": role.value}, now)
    return membership


@transaction.atomic
def admit_account(*, tenant_id: str, account: User, role: Role, acting: Actor, now: datetime) -> Membership:
    """Make that very account a member, without asking for its address; a member keeps the role that it has.

    For rooms that know an account by something else. Raises TenantNotFound, and WrongStatus where nobody is taken in.
    """
    tenant = lock_tenant(tenant_id)
    if tenant.status != TenantStatus.ACTIVE:
        raise WrongStatus(_("This workspace takes in nobody at the moment."))
    membership, made = Membership.objects.get_or_create(
        user=account, tenant=tenant, defaults={"role": role, "created_at": now}
    )
    if made:
        _tell("members.add", membership, acting, {"email": account.get_username(), "role": role.value}, now)
    return membership


def find_account(email: str) -> User | None:
    """The account of an address: members' are named by it, operators' have it beside their name."""
    address = checked_address(email)
    found = {account.get_username(): account for account in User.objects.filter(Q(username=address) | Q(email=address))}
    return found.get(address) or next(iter(found.values()), None)


def make_account(email: str, *, password: str = "") -> User:
    """A new account named by its address; without a password nobody can sign in with one."""
    address = checked_address(email)
    return User.objects.create(username=address, email=address, password=make_password(password or None))


def checked_address(email: str) -> str:
    """The address as accounts are named: lower case, no blanks around. Raises InvalidInput."""
    address = email.strip().lower()
    if "@" not in address or len(address) > 150:
        raise InvalidInput(_("This is not an e-mail address"), fields={"email": [_("must be an e-mail address")]})
    return address


@transaction.atomic
def change_role(
    *, tenant_id: str, membership_id: str, role: Role, owners: bool, acting: Actor, now: datetime
) -> Membership:
    """Give a member another role, from the next request on.

    Raises MemberNotFound, LastOwner, PermissionRefused, and AddressNotProved for who would become owner or admin.
    """
    membership = _locked(tenant_id, membership_id)
    before = Role(membership.role)
    if before is role:
        return membership
    check_may_grant(owners, before, role)
    check_may_lead(membership, role)
    if before is Role.OWNER:
        _keep_an_owner(membership)
    membership.role = role
    membership.save(update_fields=["role"])
    email = membership.user.get_username()
    _tell("members.change_role", membership, acting, {"email": email, "from": before.value, "to": role.value}, now)
    return membership


@transaction.atomic
def remove_member(*, tenant_id: str, membership_id: str, owners: bool, acting: Actor, now: datetime) -> None:
    """Close the tenant to that account from the next request on; the account and the keys that it made stay.

    Raises MemberNotFound, LastOwner and PermissionRefused.
    """
    membership = _locked(tenant_id, membership_id)
    check_may_grant(owners, Role(membership.role))
    _end(membership, "members.remove", acting, now)


@transaction.atomic
def leave_tenant(*, tenant_id: str, user_id: int, acting: Actor, now: datetime) -> None:
    """End one's own membership. Raises MemberNotFound and LastOwner."""
    membership = Membership.objects.filter(tenant_id=tenant_id, user_id=user_id).first()
    if membership is None:
        raise MemberNotFound()
    _end(_locked(tenant_id, membership.id), "members.leave", acting, now)


def _end(membership: Membership, action: str, acting: Actor, now: datetime) -> None:
    if membership.role == Role.OWNER:
        _keep_an_owner(membership)
    _tell(action, membership, acting, {"email": membership.user.get_username(), "role": membership.role}, now)
    membership.delete()


def _locked(tenant_id: str, membership_id: str) -> Membership:
    lock_tenant(tenant_id)
    membership = Membership.objects.select_related("user").filter(pk=membership_id, tenant_id=tenant_id).first()
    if membership is None:
        raise MemberNotFound()
    return membership


def lock_tenant(tenant_id: str) -> Tenant:
    """The tenant's row, held until the transaction ends. Raises TenantNotFound."""
    tenant: Tenant | None = Tenant.objects.select_for_update().filter(pk=tenant_id).first()
    if tenant is None or tenant.status == TenantStatus.DELETED:
        raise TenantNotFound()
    return tenant


def check_may_grant(owners: bool, *roles: Role) -> None:
    """Raise PermissionRefused when one of the roles is an owner's and the one who acts may not touch owners."""
    if Role.OWNER in roles and not owners:
        raise PermissionRefused(
            _("Only an owner may make, change or remove owners."), next_step=_("Ask an owner of this workspace.")
        )


def _keep_an_owner(leaving: Membership) -> None:
    others = Membership.objects.filter(tenant_id=leaving.tenant_id, role=Role.OWNER, user__is_active=True)
    if not others.exclude(pk=leaving.pk).exists():
        raise LastOwner(next_step=_("Make somebody else an owner first."))


_TOLD = {
    "members.add": EventName.MEMBER_ADDED,
    "members.change_role": EventName.MEMBER_ROLE_CHANGED,
    "members.remove": EventName.MEMBER_REMOVED,
    "members.leave": EventName.MEMBER_REMOVED,
}


def _tell(action: str, membership: Membership, acting: Actor, detail: dict[str, str], now: datetime) -> None:
    tenant_id = membership.tenant_id
    noted = {**detail, "email": Personal(detail["email"])}
    record(action, actor=acting, tenant_id=tenant_id, target=membership.public_id, detail=noted)
    emit(MemberChanged(tenant_id, membership.user_id))
    data = {"id": membership.public_id, **detail, "by": acting.label}
    announce(tenant_id=tenant_id, event=_TOLD[action], data=data, now=now)
