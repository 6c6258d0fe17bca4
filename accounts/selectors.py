"""Reading an account's factors and sessions; the rows are the sign-in library's, what leaves are plain values."""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils.crypto import constant_time_compare

from accounts.browsers import browser_name
from accounts.data import FactorFacts, FactorKind, Place, SessionFacts
from accounts.models import IdentityProvider
from accounts.recovery import codes_left


def has_factor(account_id: int) -> bool:
    """Whether the account is asked for more than its password. Recovery codes never are alone, and do not count."""
    return bool(Authenticator.objects.filter(user_id=account_id).exclude(type=FactorKind.RECOVERY).exists())


def has_passkey(account_id: int, place: Place) -> bool:
    """Whether one of the account's passkeys works at that place."""
    rows = Authenticator.objects.filter(user_id=account_id, type=FactorKind.PASSKEY, data__rp=place.host)
    return bool(rows.exists())


def address_of(account: User) -> str:
    """The account's e-mail address; members' accounts are named by it."""
    return account.email or (account.get_username() if "@" in account.get_username() else "")


def has_proved_address(account: User) -> bool:
    """Whether its owner has shown to read mail at the address that the account has now."""
    rows = EmailAddress.objects.filter(user_id=account.pk, email=address_of(account), verified=True)
    return bool(rows.exists())


def identity_provider(tenant_id: str) -> IdentityProvider | None:
    return IdentityProvider.objects.filter(pk=tenant_id).first()


def factors_shown(account_id: int) -> list[FactorFacts]:
    """The account's factors in the order in which they were added."""
    rows = Authenticator.objects.filter(user_id=account_id).order_by("pk")
    return [_facts(row) for row in rows]


def _facts(row: Authenticator) -> FactorFacts:
    kind = FactorKind(row.type)
    left = codes_left(row) if kind is FactorKind.RECOVERY else 0
    name = str(row.data.get("name", "")) if kind is FactorKind.PASSKEY else ""
    return FactorFacts(str(row.pk), kind, name, row.created_at, row.last_used_at, left)


def sessions_of(account: User, *, current: str, now: datetime) -> list[SessionFacts]:
    """The account's open sessions, newest first; `current` is the key of the one that asks."""
    alive = live_keys(account, now)
    rows = UserSession.objects.filter(user=account, session_key__in=alive).order_by("-created_at", "-pk")
    return [
        SessionFacts(
            str(row.pk),
            row.data.get("host", ""),
            row.ip,
            browser_name(row.user_agent),
            row.created_at,
            row.session_key == current,
        )
        for row in rows
    ]


def live_keys(account: User, now: datetime) -> set[str]:
    """Keys of sessions that still open something: not expired, and from after the last change of the password."""
    keys = list(UserSession.objects.filter(user=account).values_list("session_key", flat=True))
    mark = account.get_session_auth_hash()
    return {
        session.session_key
        for session in Session.objects.filter(session_key__in=keys, expire_date__gt=now)
        if _belongs(session, account, mark)
    }


def _belongs(session: Session, account: User, mark: str) -> bool:
    content = session.get_decoded()
    return content.get(SESSION_KEY) == str(account.pk) and constant_time_compare(
        content.get(HASH_SESSION_KEY, ""), mark
    )
