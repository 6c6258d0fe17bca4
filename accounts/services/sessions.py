"""Ending sessions, and starting over for who lost their factors; owns that what is ended opens nothing any more."""

from __future__ import annotations

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet

from accounts.data import Who
from accounts.errors import SessionNotFound
from accounts.models import Identity
from accounts.services.factors import tell
from audit.api import Actor, Personal, record
from tenants.api import end_api_sessions_of


@transaction.atomic
def end_sign_in(*, who: Who, session_id: str, now: datetime) -> None:
    """End one of the account's sessions. Raises SessionNotFound, for another account's too."""
    found = UserSession.objects.filter(user_id=who.account_id, pk=session_id) if session_id.isdecimal() else None
    if found is None or not _end(found):
        raise SessionNotFound()
    tell(who, "sessions.end", {"count": 1})


@transaction.atomic
def end_other_sessions(*, who: Who, current: str, now: datetime) -> int:
    """End all sessions of the account but the one whose key is `current`; returns how many."""
    ended = _end(UserSession.objects.filter(user_id=who.account_id).exclude(session_key=current))
    if ended:
        tell(who, "sessions.end_others", {"count": ended})
    return ended


@transaction.atomic
def keep_only_this_session(*, who: Who, before: str, after: str, now: datetime) -> None:
    """The password was changed and with it this session's key, from `before` to `after`; all others end."""
    UserSession.objects.filter(user_id=who.account_id, session_key=before).update(session_key=after)
    end_other_sessions(who=who, current=after, now=now)


@transaction.atomic
def reset_factors(*, account: User, acting: Actor, reason: str, now: datetime) -> int:
    """Remove all factors of somebody who lost them, and end their sessions; they enrol anew. Returns how many.

    For operators and the command line: whoever asks for it must be known to be who they say they are.
    """
    removed, _kinds = Authenticator.objects.filter(user=account).delete()
    detail = {"removed": removed, "sessions": _end(UserSession.objects.filter(user=account))}
    end_api_sessions_of(user_id=account.pk, acting=acting, now=now)
    record(
        "factors.reset",
        actor=acting,
        tenant_id=None,
        target=Personal(account.get_username()),
        reason=reason,
        detail=detail,
        about_account=str(account.pk),
    )
    return int(removed)


@transaction.atomic
def end_sessions_through_provider(*, tenant_id: str, acting: Actor, now: datetime) -> int:
    """End what a tenant's identity provider opened, whose word counts no more; returns how many browsers.

    API sessions do not say what opened them: those of everybody whom the provider knows end, in this tenant.
    """
    known = set(Identity.objects.filter(tenant_id=tenant_id).values_list("user_id", flat=True))
    for account_id in known:
        end_api_sessions_of(user_id=account_id, tenant_id=tenant_id, acting=acting, now=now)
    return _end(UserSession.objects.filter(user_id__in=known, data__provider=tenant_id))


def _end(rows: QuerySet[UserSession]) -> int:
    keys = list(rows.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    rows.delete()
    return len(keys)
