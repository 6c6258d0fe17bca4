"""Opening and renewing API sessions; a refresh token leaves this module once, and is good once.

Whoever renews gets a new refresh token and ends the one that was shown. An older one than that is a copy in somebody's
hands, so the whole session ends. The one just before is refused for GRACE without ending anything: two processes that
renew at the same moment are no theft, and neither of them gets in by a token that is used up.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from audit.api import SYSTEM, Actor, Personal, record
from core.faults import fault_point
from tenants.data import AccessClaims, SessionEnd, TenantStatus, Tokens
from tenants.errors import MemberNotFound, RefreshTokenInvalid, RefreshTokenUsed, WrongStatus
from tenants.models import ApiSession, Membership
from tenants.networks import check_portal_address
from tenants.services.sessions import close_session, end_reason, end_session, open_sessions
from tenants.sessions.access_tokens import mint_access_token
from tenants.sessions.refresh_tokens import RefreshToken, new_refresh_token, parse_refresh_token
from tenants.sessions.ring import ACCESS_LIFETIME

GRACE = timedelta(seconds=10)
IDLE = timedelta(days=7)
LONGEST = timedelta(days=30)
MOST = 20  # open ones of one member; the one that rested longest gives way


@transaction.atomic
def open_api_session(
    *, membership_id: str, name: str, address: str, acting: Actor, now: datetime, factor: bool = False
) -> Tokens:
    """A new session of a member whose credentials were checked; `factor`: a second one too.

    Raises MemberNotFound and WrongStatus.
    """
    members = Membership.objects.select_related("user", "tenant").select_for_update(of=("self",))
    member = members.filter(pk=membership_id, user__is_active=True).first()
    if member is None:
        raise MemberNotFound()
    if member.tenant.status != TenantStatus.ACTIVE:
        raise WrongStatus("Only an active tenant opens API sessions")
    _make_room(member, acting, now)
    session = ApiSession(
        tenant=member.tenant,
        user=member.user,
        membership=member,
        name=name.strip()[:80],
        opened_from=address,
        factor=factor,
        account_mark=member.user.get_session_auth_hash(),
        created_at=now,
        expires_at=now + LONGEST,
    )
    tokens = _renew(session, now)
    session.save(force_insert=True)
    detail = {"name": Personal(session.name), "from": Personal(address)}
    record("api_sessions.open", actor=acting, tenant_id=member.tenant_id, target=session.public_id, detail=detail)
    return tokens


def _make_room(member: Membership, acting: Actor, now: datetime) -> None:
    """The member's row is held, so that two who come at once count one another."""
    for surplus in open_sessions().filter(membership=member).order_by("-used_at", "-id")[MOST - 1 :]:
        end_session(surplus, SessionEnd.CROWDED, acting, now)


def _renew(session: ApiSession, now: datetime) -> Tokens:
    """The next pair, noted in the row and not saved."""
    refresh = new_refresh_token(session.id)
    session.digest_before, session.digest = session.digest, refresh.digests[0]
    session.used_at, session.refresh_until = now, min(now + IDLE, session.expires_at)
    access = mint_access_token(AccessClaims(session.tenant_id, session.membership_id, session.id), now=now)
    return Tokens(session.public_id, access, refresh.text, int(ACCESS_LIFETIME.total_seconds()))


def renew_api_session(*, token: str, address: str, now: datetime) -> Tokens:
    """The next pair for a token that is good, for a caller at `address`.

    Raises RefreshTokenInvalid, RefreshTokenUsed within GRACE, and AddressNotAllowed, which ends nothing.
    """
    shown = parse_refresh_token(token)
    if shown is None:
        raise RefreshTokenInvalid()
    renewed = _refresh(shown, address, now)
    if renewed is None:
        raise RefreshTokenInvalid()
    return renewed


@transaction.atomic
def _refresh(shown: RefreshToken, address: str, now: datetime) -> Tokens | None:
    """None when the token is over, after what follows from that was written down."""
    rows = ApiSession.objects.select_related("user", "tenant").select_for_update(of=("self",))
    session = rows.filter(pk=shown.session_id, ended_at=None).first()
    if session is None or session.expires_at <= now:
        return None
    check_portal_address(session.tenant.portal_networks, address)
    if why := end_reason(session):
        end_session(session, why, SYSTEM, now)
        return None
    if session.digest not in shown.digests:
        _check_reuse(session, shown, now)
        return None
    if session.refresh_until <= now:
        return None
    tokens = _renew(session, now)
    session.save(update_fields=["digest", "digest_before", "used_at", "refresh_until"])
    fault_point("tenants.sessions.renewed")
    return tokens


def _check_reuse(session: ApiSession, shown: RefreshToken, now: datetime) -> None:
    if session.digest_before in shown.digests and now - session.used_at < GRACE:
        raise RefreshTokenUsed()
    close_session(session, SessionEnd.REUSED, now)
    who = Actor("member", str(session.user_id), session.user.get_username())
    detail = {"name": Personal(session.name), "from": Personal(session.opened_from)}
    record("api_sessions.reuse", actor=who, tenant_id=session.tenant_id, target=session.public_id, detail=detail)
