"""Beginning, entering, raising and ending an operator's visit; each step is in the platform's log and the tenant's."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from audit.api import SYSTEM, Actor, Personal, record
from core.crypto import current_version, hmac_digest, seal
from core.errors import InvalidInput, PermissionRefused
from core.faults import fault_point
from tenants.data import ImpersonationEnd, TenantStatus
from tenants.errors import HandoverInvalid, ImpersonationOpen, ImpersonationOver, MemberNotFound, WrongStatus
from tenants.impersonation import MAY_BEGIN, MAY_RAISE, actor_of, seal_context
from tenants.models import Impersonation, Membership, Tenant
from tenants.services.members import lock_tenant

PEPPER = "impersonation"
LASTS = timedelta(minutes=30)
HANDOVER = timedelta(minutes=2)


@transaction.atomic
def begin_impersonation(
    *, tenant_id: str, operator: User, session_key: str, membership_id: str, reason: str, acting: Actor, now: datetime
) -> tuple[Impersonation, str]:
    """A visit of half an hour, read-only, and the token that opens it once on the tenant's host within two minutes.

    An empty `membership_id` stands for the workspace as such. Raises PermissionRefused, InvalidInput, WrongStatus,
    MemberNotFound, and ImpersonationOpen while the operator acts elsewhere.
    """
    _may(operator, MAY_BEGIN)
    tenant, why = lock_tenant(tenant_id), _reason(reason)
    if tenant.status not in (TenantStatus.ACTIVE, TenantStatus.SUSPENDED):
        raise WrongStatus(_("This tenant has no portal that one could act in."))
    member = _member(tenant, membership_id)
    _close_what_is_over(operator, now)
    token = secrets.token_urlsafe(32)
    row = Impersonation(
        tenant=tenant,
        operator=operator,
        operator_label=operator.get_username(),
        member=member,
        acts_as=member.user.get_username() if member else "",
        reason=why,
        created_at=now,
        expires_at=now + LASTS,
        handover_digest=hmac_digest(token, PEPPER),
        handover_until=now + HANDOVER,
    )
    row.session_sealed = seal(session_key, context=seal_context(row))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        raise ImpersonationOpen(next_step=_("End the other one first.")) from error
    _tell("impersonation.begin", row, acting, why)
    return row, token


def _member(tenant: Tenant, membership_id: str) -> Membership | None:
    if not membership_id:
        return None
    member = Membership.objects.select_related("user").filter(pk=membership_id, tenant=tenant).first()
    if member is None or not member.user.is_active:
        raise MemberNotFound()
    return member


@transaction.atomic
def enter_impersonation(*, tenant_id: str, token: str, now: datetime) -> Impersonation:
    """Open the visit behind a token, once, on the host of its own tenant. Raises HandoverInvalid."""
    row = _only(_handovers(tenant_id, token, now).select_for_update(of=("self",)))
    row.entered_at = now
    row.save(update_fields=["entered_at"])
    fault_point("tenants.impersonation.entered")
    _tell("impersonation.enter", row, actor_of(row), row.reason)
    return row


def find_handover(*, tenant_id: str, token: str, now: datetime) -> Impersonation:
    """The visit that a token would open; changes nothing. Raises HandoverInvalid."""
    return _only(_handovers(tenant_id, token, now))


def _handovers(tenant_id: str, token: str, now: datetime) -> QuerySet[Impersonation]:
    digests = [hmac_digest(token, PEPPER, version) for version in range(current_version(PEPPER), 0, -1)]
    rows = Impersonation.objects.select_related("tenant", "operator").filter(handover_digest__in=digests)
    return rows.filter(tenant_id=tenant_id, entered_at=None, ended_at=None, handover_until__gt=now)


def _only(rows: QuerySet[Impersonation]) -> Impersonation:
    row = rows.first()
    if row is None:
        raise HandoverInvalid(next_step=_("Begin again from the tenant's page."))
    return row


@transaction.atomic
def raise_impersonation(*, impersonation_id: str, reason: str, acting: Actor, now: datetime) -> Impersonation:
    """Let a visit change what operators may change for a tenant. Raises PermissionRefused, InvalidInput, Over."""
    row = _open(impersonation_id)
    _may(row.operator, MAY_RAISE)
    if not row.is_raised:
        row.raised_at, row.raise_reason = now, _reason(reason)
        row.save(update_fields=["raised_at", "raise_reason"])
        _tell("impersonation.raise", row, acting, row.raise_reason)
    return row


@transaction.atomic
def end_impersonation(*, impersonation_id: str, why: ImpersonationEnd, acting: Actor, now: datetime) -> None:
    """End a visit, whether or not it was entered. A second call changes nothing."""
    row = Impersonation.objects.select_related("tenant").select_for_update(of=("self",)).get(pk=impersonation_id)
    if row.ended_at is None:
        row.ended_at, row.end_reason = now, why
        row.save(update_fields=["ended_at", "end_reason"])
        _tell("impersonation.end", row, acting, row.get_end_reason_display())


def end_expired(*, now: datetime) -> int:
    """End whatever has lasted its half hour; returns how many. The rest is noticed where a request is made."""
    return _end_all(Impersonation.objects.filter(expires_at__lte=now), now)


def _close_what_is_over(operator: User, now: datetime) -> None:
    """What nobody can enter any more does not keep its operator from acting elsewhere."""
    missed = Impersonation.objects.filter(operator=operator, entered_at=None, handover_until__lte=now)
    late = Impersonation.objects.filter(operator=operator, expires_at__lte=now)
    _end_all(missed | late, now)


def _end_all(rows: QuerySet[Impersonation], now: datetime) -> int:
    found = list(rows.filter(ended_at=None).values_list("pk", flat=True))
    for each in found:
        end_impersonation(impersonation_id=each, why=ImpersonationEnd.EXPIRED, acting=SYSTEM, now=now)
    return len(found)


def _open(impersonation_id: str) -> Impersonation:
    rows = Impersonation.objects.select_related("tenant", "operator").select_for_update(of=("self",))
    row = rows.filter(pk=impersonation_id, ended_at=None).first()
    if row is None:
        raise ImpersonationOver()
    return row


def _may(operator: User, permission: str) -> None:
    if not operator.has_perm(permission):
        raise PermissionRefused(_("Your account lacks the permission %(name)s.") % {"name": permission})


def _reason(text: str) -> str:
    if not text.strip():
        raise InvalidInput(_("This needs a reason"), fields={"reason": [_("must not be empty")]})
    return text.strip()[:400]


def _tell(action: str, row: Impersonation, acting: Actor, reason: str) -> None:
    detail = {"operator": row.operator_label, "acts_as": Personal(row.acts_as or row.tenant.name)}
    about = row.tenant_id
    for chain in (None, about):
        record(
            action,
            actor=acting,
            tenant_id=chain,
            target=row.public_id,
            reason=reason,
            detail=detail,
            about_tenant=about,
        )
