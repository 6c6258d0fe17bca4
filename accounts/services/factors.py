"""Authenticator apps and recovery codes: added, used, removed; owns that one code works once, and what is left behind.

Guesses are counted before a code is looked at, per account and from wherever they come.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.adapters import factors_of
from accounts.data import FactorKind, Who
from accounts.errors import CodesSealed, FactorNotFound, FactorThere, LastFactor, WrongCode
from accounts.recovery import codes_left, note_digests, note_missing_digests, use_recovery_code
from accounts.selectors import has_factor
from audit.api import Personal, record
from core.attempts import count_code, forget_codes
from core.master_keys import Sealed

_TYPED = (FactorKind.APP, FactorKind.RECOVERY)  # factors whose proof is a code that a person types


def add_app(*, who: Who, secret: str, code: str, now: datetime) -> tuple[str, ...]:
    """Make the authenticator app that knows `secret` a factor; `code` proves that it does.

    Returns the account's recovery codes when it had none, which nobody can see again. Raises FactorThere, WrongCode
    and TooManyAttempts.
    """
    count_code(str(who.account_id))
    with transaction.atomic(), factors_of(who.account_id):
        account = lock_account(who.account_id)
        if Authenticator.objects.filter(user=account, type=FactorKind.APP).exists():
            raise FactorThere()
        if not TOTP.activate(account, secret).validate_code(code):
            raise WrongCode()
        tell(who, "factors.add", {"kind": FactorKind.APP.value})
        codes = first_codes(who, account)
    forget_codes(str(who.account_id))
    return codes


def first_codes(who: Who, account: User) -> tuple[str, ...]:
    """Recovery codes for an account that gets its first factor, else none. Inside the transaction that adds it."""
    if Authenticator.objects.filter(user=account, type=FactorKind.RECOVERY).exists():
        return ()
    return _new_codes(who, account)


@transaction.atomic
def renew_codes(*, who: Who, now: datetime) -> tuple[str, ...]:
    """Fresh recovery codes, shown once; the old ones open nothing any more. Raises FactorNotFound without a factor."""
    account = lock_account(who.account_id)
    if not has_factor(account.pk):
        raise FactorNotFound(next_step=_("Add an authenticator app or a passkey first."))
    Authenticator.objects.filter(user=account, type=FactorKind.RECOVERY).delete()
    with factors_of(account.pk):
        return _new_codes(who, account)


def _new_codes(who: Who, account: User) -> tuple[str, ...]:
    made = RecoveryCodes.activate(account)
    codes = tuple(made.get_unused_codes())
    note_digests(made.instance)
    tell(who, "factors.renew_codes", {"count": len(codes)})
    return codes


def use_code(*, who: Who, code: str, now: datetime) -> FactorKind:
    """Accept a code of the account's app, or one of its recovery codes, once.

    Raises WrongCode, TooManyAttempts, and CodesSealed when it may be an app's and cannot be checked.
    """
    count_code(str(who.account_id))
    with transaction.atomic(), factors_of(who.account_id):
        rows = list(Authenticator.objects.filter(user_id=who.account_id, type__in=_TYPED).order_by("-type"))
        row = _row_of(rows, code)
        note_missing_digests(rows)
        Authenticator.objects.filter(pk=row.pk).update(last_used_at=now)
        kind = FactorKind(row.type)
        if kind is FactorKind.RECOVERY:
            row.refresh_from_db()
            tell(who, "factors.use_recovery_code", {"left": codes_left(row)})
    forget_codes(str(who.account_id))
    return kind


def _row_of(rows: Iterable[Authenticator], code: str) -> Authenticator:
    """The factor that the code is of, and is used up."""
    sealed: Sealed | None = None
    for row in rows:
        try:
            if use_recovery_code(row, code) if row.type == FactorKind.RECOVERY else row.wrap().validate_code(code):
                return row
        except Sealed as error:
            sealed = error
    if sealed is not None:
        raise CodesSealed(next_step=_("Use a passkey or one of your recovery codes.")) from sealed
    raise WrongCode()


@transaction.atomic
def remove_factor(*, who: Who, factor_id: str, required: bool, now: datetime) -> None:
    """Remove an app or a passkey; with the last of them the recovery codes go too.

    `required`: the account may not be left without one. Raises FactorNotFound and LastFactor.
    """
    account = lock_account(who.account_id)
    factors = {str(row.pk): row for row in Authenticator.objects.filter(user=account)}
    codes = [row for row in factors.values() if row.type == FactorKind.RECOVERY]
    removed = factors.get(factor_id)
    if removed is None or removed in codes:
        raise FactorNotFound()
    last = len(factors) - len(codes) == 1
    if last and required:
        raise LastFactor(next_step=_("Add another factor first."))
    for row in (removed, *(codes if last else ())):
        row.delete()
    tell(who, "factors.remove", {"kind": removed.type, "last": last})


def lock_account(account_id: int) -> User:
    """The account's row, held until the transaction ends."""
    return User.objects.select_for_update().get(pk=account_id)


_NAMING = frozenset({"email", "said_email", "issuer", "host", "from"})


def tell(who: Who, action: str, detail: dict[str, object]) -> None:
    """Write down what somebody did to their own account, in the log of where they did it."""
    said = {name: Personal(value) if name in _NAMING else value for name, value in detail.items()}
    target, about = Personal(who.actor.label), str(who.account_id)
    tenant_id = who.place.tenant_id or None
    record(action, actor=who.actor, tenant_id=tenant_id, target=target, detail=said, about_account=about)
