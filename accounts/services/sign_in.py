"""Opening a session, in one step or in two; owns that a right password alone opens nothing for who has a factor.

Between the steps nobody is signed in: the session holds which account waits, where, and for how long, and a change of
the password in between ends the waiting.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from allauth.usersessions.models import UserSession
from django.contrib.auth import login
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.data import Place, Who
from accounts.errors import NoSignInWaiting, WrongCode
from accounts.selectors import has_factor, identity_provider, live_keys
from accounts.services.factors import tell, use_code
from accounts.waiting import Waiting, first_step, forget_waiting, note_waiting, waiting_in
from audit.api import Actor, operator_actor
from core.address import client_address
from core.attempts import count_attempt, forget_attempts
from core.proof import note_opened_at, note_proof

OPERATORS_SIGNED_IN_FOR = timedelta(hours=12)
PROVIDER = "openid"
_UNKNOWN = "0.0.0.0"  # noqa: S104 - names an unknown address, binds nothing


def who_is(account: User, place: Place) -> Who:
    """The account as it acts at that place."""
    if not place.tenant_id and account.is_staff:
        return Who(account.pk, place, operator_actor(account))
    return Who(account.pk, place, Actor("member", str(account.pk), account.email or account.get_username()))


def begin_sign_in(
    request: HttpRequest,
    *,
    account: User,
    place: Place,
    back_to: str,
    now: datetime,
    by: str = "password",
    issuer: str = "",
) -> bool:
    """The first step, `by` what, was right. Sign in and return True; False: a second step is waited for.

    `issuer` is that of the provider whose word was the first step.
    """
    if not has_factor(account.pk):
        let_in(request, account=account, place=place, by=by, factor=False, now=now)
        return True
    request.session.cycle_key()
    mark = account.get_session_auth_hash()
    note_waiting(request.session, Waiting(account.pk, place.realm, mark, back_to, by, issuer), now)
    return False


def finish_sign_in(request: HttpRequest, *, place: Place, code: str, now: datetime) -> str:
    """The second step, by a typed code; returns where the person wanted to go.

    Raises NoSignInWaiting, WrongCode, TooManyAttempts and Unavailable.
    """
    account, back_to = waiting_account(request, place, now)
    kind, first = use_code(who=who_is(account, place), code=code, now=now), first_step(request.session)
    let_in(request, account=account, place=place, by=f"{first}, {kind}", factor=True, now=now)
    return back_to


def waiting_account(request: HttpRequest, place: Place, now: datetime) -> tuple[User, str]:
    """Who waits for the second step here, and where they wanted to go. Raises NoSignInWaiting."""
    waiting = waiting_in(request.session, place, now)
    if waiting is not None and waiting.by == PROVIDER and not _is_still_asked(place.tenant_id, waiting.issuer):
        raise NoSignInWaiting()
    account = User.objects.filter(pk=waiting.account_id, is_active=True).first() if waiting else None
    if waiting is None or account is None:
        raise NoSignInWaiting()
    if not constant_time_compare(waiting.password_mark, account.get_session_auth_hash()):
        raise NoSignInWaiting()
    return account, waiting.back_to


def _is_still_asked(tenant_id: str, issuer: str) -> bool:
    """Whether that is the tenant's provider still; it may have been removed, or another one entered, meanwhile."""
    provider = identity_provider(tenant_id)
    return provider is not None and provider.issuer == issuer


def let_in(request: HttpRequest, *, account: User, place: Place, by: str, factor: bool, now: datetime) -> None:
    """Sign the account in under a new session key, and write down where, how and in which browser.

    The word of a tenant's provider alone is no fresh proof of an account that can prove itself: whoever runs the
    provider could add a factor of their own to it.
    """
    through = by.startswith(PROVIDER)
    with transaction.atomic():
        before = request.session.session_key
        login(request, account)
        if request.session.session_key == before:  # the same account again, which the library lets keep its key
            request.session.cycle_key()
        forget_waiting(request.session)
        note_opened_at(request.session, place.tenant_id)
        if factor or not through or not account.has_usable_password():
            note_proof(request.session, account_id=account.pk, factor=factor, now=now)
        if not place.tenant_id:
            request.session.set_expiry(int(OPERATORS_SIGNED_IN_FOR.total_seconds()))
        address = client_address(request)
        _remember(request, account, place, place.tenant_id if through else "", now)
        tell(who_is(account, place), "sessions.sign_in", {"from": address, "by": by})


def _remember(request: HttpRequest, account: User, place: Place, provider: str, now: datetime) -> None:
    """A row of the list of sessions; those of this account that ended by themselves leave it.

    `provider`: the tenant whose identity provider opened it.
    """
    address = client_address(request)
    UserSession.objects.filter(user=account).exclude(session_key__in=live_keys(account, now)).delete()
    UserSession.objects.create(
        user=account,
        session_key=request.session.session_key,
        ip=_UNKNOWN if address == "unknown" else address.partition("/")[0],
        user_agent=request.headers.get("User-Agent", "")[:200],
        data={"host": place.host, **({"provider": provider} if provider else {})},
        created_at=now,
        last_seen_at=now,
    )


def confirm_identity(request: HttpRequest, *, who: Who, account: User, secret: str, now: datetime) -> None:
    """Prove again who is signed in: by a code where the account has a factor, else by the password.

    Raises WrongCode, TooManyAttempts and Unavailable.
    """
    by_factor = has_factor(account.pk)
    if by_factor:
        use_code(who=who, code=secret, now=now)
    else:
        _check_password(client_address(request), who, account, secret)
    note_proof(request.session, account_id=account.pk, factor=by_factor, now=now)
    tell(who, "sessions.confirm", {"by": "code" if by_factor else "password"})


def _check_password(address: str, who: Who, account: User, password: str) -> None:
    counted = {"realm": who.place.realm, "address": address, "account": account.get_username()}
    count_attempt(**counted)
    if not account.check_password(password):
        raise WrongCode()
    forget_attempts(**counted)
