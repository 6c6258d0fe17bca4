"""Ending API sessions, and what ends one; opening and renewing is `opened_sessions`', which makes tokens."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from audit.api import Actor, record
from tenants.centre.registry import REQUIRE_FACTOR
from tenants.centre.selectors import setting_of
from tenants.data import SessionEnd, TenantStatus
from tenants.errors import SessionNotFound
from tenants.models import ApiSession


def end_reason(session: ApiSession) -> SessionEnd | None:
    """Why a session with its account and tenant can no longer be used, beside its own end; None when it can."""
    if not session.user.is_active or session.account_mark != session.user.get_session_auth_hash():
        return SessionEnd.ACCOUNT
    if session.tenant.status != TenantStatus.ACTIVE:
        return SessionEnd.TENANT
    return None if session.factor or not setting_of(session.tenant_id, REQUIRE_FACTOR) else SessionEnd.ACCOUNT


@transaction.atomic
def end_api_session(*, tenant_id: str, user_id: int, session_id: str, acting: Actor, now: datetime) -> None:
    """End one's own session; its tokens open nothing from the next request on. Raises SessionNotFound."""
    rows = ApiSession.objects.select_for_update().filter(pk=session_id, tenant_id=tenant_id, user_id=user_id)
    session = rows.first()
    if session is None:
        raise SessionNotFound()
    if session.ended_at is None:
        end_session(session, SessionEnd.ENDED, acting, now)


@transaction.atomic
def end_api_sessions_of(*, user_id: int, acting: Actor, now: datetime, tenant_id: str = "") -> int:
    """End all of an account, or those in one tenant: it was locked, say, or has another password. Returns how many."""
    of_tenant = {"tenant_id": tenant_id} if tenant_id else {}
    sessions = list(open_sessions().select_for_update().filter(user_id=user_id, **of_tenant))
    for session in sessions:
        end_session(session, SessionEnd.ACCOUNT, acting, now)
    return len(sessions)


@transaction.atomic
def end_api_sessions_in(*, tenant_id: str, acting: Actor, now: datetime) -> int:
    """End all of a tenant that is suspended, archived or deleted; they do not come back with it. Returns how many."""
    sessions = list(open_sessions().select_for_update().filter(tenant_id=tenant_id))
    for session in sessions:
        end_session(session, SessionEnd.TENANT, acting, now)
    return len(sessions)


def end_session(session: ApiSession, why: SessionEnd, acting: Actor, now: datetime) -> None:
    """The entry says why, for whoever wonders why a program stopped."""
    close_session(session, why, now)
    detail = {"why": why.value}
    record("api_sessions.end", actor=acting, tenant_id=session.tenant_id, target=session.public_id, detail=detail)


def close_session(session: ApiSession, why: SessionEnd, now: datetime) -> None:
    """A part of what ends it, which records."""
    session.ended_at, session.end_reason = now, why
    session.save(update_fields=["ended_at", "end_reason"])


def open_sessions() -> QuerySet[ApiSession]:
    """Those that were not ended; time may have ended more."""
    return ApiSession.objects.filter(ended_at=None)
