"""Inviting people by mail: once, for a week, for one address; owns the token, which only the letter ever holds."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from audit.api import Actor, Personal, emit, record
from core.crypto import current_version, hmac_digest
from core.errors import Conflict, InvalidInput
from mail.api import Letter, queue_mail
from tenants.centre.selectors import setting_of
from tenants.data import MemberChanged, Role, TenantStatus
from tenants.errors import InvitationNotForYou, InvitationNotFound, WrongStatus
from tenants.models import Invitation, Membership
from tenants.models.members import ROLE_CHOICES
from tenants.portals import portal_address
from tenants.services.members import check_may_grant, checked_address, find_account, lock_tenant, make_account
from tenants.webhooks.announce import announce
from tenants.webhooks.data import EventName

PEPPER = "invitation"
VALID_FOR = timedelta(days=7)


@transaction.atomic
def invite_member(
    *, tenant_id: str, email: str, role: Role, owners: bool, acting: Actor, now: datetime, language: str = ""
) -> Invitation:
    """Send a letter with a link that makes its reader a member; an earlier one to that address opens nothing any more.

    `language` is the letter's; empty: the one that is active now. Raises InvalidInput, Conflict for somebody who is a
    member, PermissionRefused, TenantNotFound, and WrongStatus for a tenant that is not active.
    """
    address = checked_address(email)
    check_may_grant(owners, role)
    tenant = lock_tenant(tenant_id)
    if tenant.status != TenantStatus.ACTIVE:
        raise WrongStatus(_("Only an active workspace invites people."))
    _check_domain(tenant_id, address)
    if Membership.objects.filter(tenant=tenant, user=find_account(address)).exists():
        raise Conflict(_("This account is a member already."))
    _open_ones(tenant_id, address).update(revoked_at=now)
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        tenant=tenant,
        email=address,
        role=role,
        digest=hmac_digest(token, PEPPER),
        pepper_version=current_version(PEPPER),
        invited_by=acting.label,
        created_at=now,
        expires_at=now + VALID_FOR,
    )
    _tell("members.invite", invitation, acting)
    _post(invitation, token, language or get_language() or "en", now)
    return invitation


def is_domain_allowed(tenant_id: str, address: str) -> bool:
    """The tenant's owners may have decided whose people come in."""
    domains = setting_of(tenant_id, "members.allowed_domains")
    return not domains or address.rpartition("@")[2].lower() in domains


def _check_domain(tenant_id: str, address: str) -> None:
    if not is_domain_allowed(tenant_id, address):
        domains = setting_of(tenant_id, "members.allowed_domains")
        complaint = _("must be of one of these domains: %(domains)s") % {"domains": ", ".join(domains)}
        raise InvalidInput(_("This workspace invites nobody of that domain"), fields={"email": [complaint]})


def _post(invitation: Invitation, token: str, language: str, now: datetime) -> None:
    context = {
        "tenant": invitation.tenant.name,
        "invited_by": invitation.invited_by,
        "role": dict(ROLE_CHOICES)[Role(invitation.role)],  # not translated yet: the letter has a language of its own
        "link": portal_address(invitation.tenant, f"/join/{token}/"),
        "expires_at": invitation.expires_at,
    }
    queue_mail(Letter("invitation", invitation.email, language, context, tenant_id=invitation.tenant_id), now=now)


@transaction.atomic
def renew_invitation(
    *, tenant_id: str, invitation_id: str, owners: bool, acting: Actor, now: datetime, language: str = ""
) -> Invitation:
    """Send a fresh letter for another week; the old link opens nothing any more. Raises InvitationNotFound."""
    old = _unused(tenant_id, invitation_id)
    return invite_member(
        tenant_id=tenant_id,
        email=old.email,
        role=Role(old.role),
        owners=owners,
        acting=acting,
        now=now,
        language=language,
    )


@transaction.atomic
def revoke_invitation(*, tenant_id: str, invitation_id: str, acting: Actor, now: datetime) -> None:
    """The letter's link opens nothing any more. Raises InvitationNotFound, also for one that was used."""
    invitation = _unused(tenant_id, invitation_id)
    invitation.revoked_at = now
    invitation.save(update_fields=["revoked_at"])
    _tell("members.revoke_invitation", invitation, acting)


def _unused(tenant_id: str, invitation_id: str) -> Invitation:
    lock_tenant(tenant_id)
    found = Invitation.objects.select_related("tenant").filter(pk=invitation_id, tenant_id=tenant_id)
    invitation = found.filter(accepted_at=None, revoked_at=None).first()
    if invitation is None:
        raise InvitationNotFound()
    return invitation


def open_invitation(*, tenant_id: str, token: str, now: datetime) -> Invitation:
    """The invitation behind a link of this tenant; raises InvitationNotFound when it is used, withdrawn or expired."""
    digests = [hmac_digest(token, PEPPER, version) for version in range(current_version(PEPPER), 0, -1)]
    invitation = Invitation.objects.select_related("tenant").filter(tenant_id=tenant_id, digest__in=digests).first()
    if invitation is None or not invitation.is_open(now):
        raise InvitationNotFound()
    return invitation


@transaction.atomic
def accept_invitation(
    *, tenant_id: str, invitation_id: str, account: User | None, now: datetime, password: str = ""
) -> Membership:
    """Make the reader of the letter a member, once. The caller has seen the letter's token (`open_invitation`).

    `account` is who is signed in and must be the one invited; None makes the account with `password`, which is only
    possible while there is none. Raises InvitationNotFound, InvitationNotForYou, Conflict, and WrongStatus.
    """
    tenant = lock_tenant(tenant_id)
    invitation = Invitation.objects.filter(pk=invitation_id, tenant_id=tenant_id).first()
    if invitation is None or not invitation.is_open(now):
        raise InvitationNotFound()
    if tenant.status != TenantStatus.ACTIVE:
        raise WrongStatus(_("This workspace takes in nobody at the moment."))
    if account is None:
        if find_account(invitation.email) is not None:
            raise Conflict(_("There is an account with this address already; sign in with it."))
        account = make_account(invitation.email, password=password)
    if invitation.email not in (account.get_username().lower(), account.email.lower()):
        raise InvitationNotForYou()
    membership, made = Membership.objects.get_or_create(
        user=account, tenant=tenant, defaults={"role": invitation.role, "created_at": now}
    )
    invitation.accepted_at = now
    invitation.save(update_fields=["accepted_at"])
    who = Actor("member", str(account.pk), account.get_username())
    detail = {"role": membership.role, "new": made}
    record("members.accept", actor=who, tenant_id=tenant_id, target=invitation.public_id, detail=detail)
    emit(MemberChanged(tenant_id, account.pk))
    if made:
        data = {"id": membership.public_id, "email": account.get_username(), "role": membership.role, "by": who.label}
        announce(tenant_id=tenant_id, event=EventName.MEMBER_ADDED, data=data, now=now)
    return membership


def _open_ones(tenant_id: str, email: str) -> QuerySet[Invitation]:
    return Invitation.objects.filter(tenant_id=tenant_id, email=email, accepted_at=None, revoked_at=None)


def _tell(action: str, invitation: Invitation, acting: Actor) -> None:
    detail = {"email": Personal(invitation.email), "role": invitation.role}
    record(action, actor=acting, tenant_id=invitation.tenant_id, target=invitation.public_id, detail=detail)
