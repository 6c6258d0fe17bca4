"""Letters about one's own account: to choose a new password, and to prove an address; and what their links do.

Whoever asks learns nothing about who has an account: the answer is the same and so is the work. Links are built from
the installation's settings, never from what a request says its host is.
"""

from __future__ import annotations

from datetime import datetime

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import transaction

from accounts.data import Place, Who
from accounts.errors import AddressTaken, LetterVoid
from accounts.selectors import address_of, has_proved_address
from accounts.services.factors import lock_account, tell
from accounts.services.sessions import end_other_sessions
from accounts.services.sign_in import who_is
from accounts.tokens import VALID_FOR, Purpose, account_in, holds, letter_token
from core.attempts import count_attempt
from mail.api import Letter, queue_mail
from tenants.api import Tenant, end_api_sessions_of, portal_address

_NOBODY = User(pk=0, username="nobody", password="")  # for the same work when there is no such account


def ask_reset(*, account: User | None, email: str, place: Place, address: str, language: str, now: datetime) -> None:
    """Send a letter with a link to choose a new password, if there is an account to send it to.

    `account` None: nobody is to get one here, and nobody is told. `address` is the caller's. Raises TooManyAttempts.
    """
    count_attempt(realm=f"reset|{place.realm}", address=address, account=email)
    with transaction.atomic():
        token = letter_token(Purpose.RESET, account_id=_pk(account), state=_reset_state(account or _NOBODY), now=now)
        path = f"sign-in/reset/{token}/"
        _post(Purpose.RESET, account or _NOBODY, to=email, path=path, place=place, language=language, now=now)
        if account is None:
            transaction.set_rollback(True)
        else:
            tell(who_is(account, place), "accounts.ask_reset", {"from": address})


def account_to_reset(token: str, now: datetime) -> User:
    """Whose password the link changes. Raises LetterVoid for one that is used, too old or not ours."""
    account = User.objects.filter(pk=account_in(token), is_active=True).first()
    if account is None or not holds(token, Purpose.RESET, state=_reset_state(account), now=now):
        raise LetterVoid()
    return account


@transaction.atomic
def reset_password(*, token: str, password: str, place: Place, now: datetime) -> None:
    """Store the new password, once for each letter; all sessions end, and factors stay. Raises LetterVoid."""
    account = lock_account(account_to_reset(token, now).pk)
    if not holds(token, Purpose.RESET, state=_reset_state(account), now=now):
        raise LetterVoid()
    account.password = make_password(password)
    account.save(update_fields=["password"])
    who = who_is(account, place)
    end_other_sessions(who=who, current="", now=now)
    end_api_sessions_of(user_id=account.pk, acting=who.actor, now=now)
    if not has_proved_address(account):
        _set_proved(account)
    tell(who, "accounts.reset_password", {})


def ask_proof_of_address(*, who: Who, language: str, now: datetime) -> None:
    """Send a letter whose link proves that the account's address is its owner's. Raises TooManyAttempts."""
    account = User.objects.get(pk=who.account_id)
    count_attempt(realm=f"address|{who.place.realm}", address="own", account=str(account.pk))
    token = letter_token(Purpose.ADDRESS, account_id=account.pk, state=_address_state(account), now=now)
    path, email = f"sign-in/address/{token}/", address_of(account)
    with transaction.atomic():
        _post(Purpose.ADDRESS, account, to=email, path=path, place=who.place, language=language, now=now)
        tell(who, "accounts.ask_proof_of_address", {"email": email})


@transaction.atomic
def prove_address(*, token: str, place: Place, now: datetime) -> None:
    """The letter's link was followed, once. Raises LetterVoid and AddressTaken."""
    account = User.objects.select_for_update().filter(pk=account_in(token), is_active=True).first()
    if account is None or not holds(token, Purpose.ADDRESS, state=_address_state(account), now=now):
        raise LetterVoid()
    note_proved_address(account=account, place=place, now=now)


@transaction.atomic
def note_proved_address(*, account: User, place: Place, now: datetime) -> None:
    """The account's owner has shown to read mail at its address. Raises AddressTaken when it is proved for another."""
    if has_proved_address(account):
        return
    if EmailAddress.objects.filter(email=address_of(account), verified=True).exists():
        raise AddressTaken()
    _set_proved(account)
    tell(who_is(account, place), "accounts.prove_address", {"email": address_of(account)})


def _set_proved(account: User) -> None:
    address = address_of(account)
    if address and not EmailAddress.objects.filter(email=address, verified=True).exists():
        EmailAddress.objects.filter(user=account).delete()
        EmailAddress.objects.create(user=account, email=address, verified=True, primary=True)


def _pk(account: User | None) -> int:
    return account.pk if account is not None else 0


def _reset_state(account: User) -> str:
    return f"{account.password}|{address_of(account)}"


def _address_state(account: User) -> str:
    return f"{address_of(account)}|{has_proved_address(account)}"


def _post(purpose: Purpose, account: User, *, to: str, path: str, place: Place, language: str, now: datetime) -> None:
    tenant = Tenant.objects.get(pk=place.tenant_id) if place.tenant_id else None
    context = {
        "tenant": tenant.name if tenant else "Lumos",
        "name": account.get_username(),
        "link": portal_address(tenant, f"/{path}") if tenant else _operators_address(f"/admin/{path}"),
        "expires_at": now + VALID_FOR[purpose],
    }
    queue_mail(Letter(f"account_{purpose}", to, language, context, tenant_id=place.tenant_id), now=now)


def _operators_address(path: str) -> str:
    port = f":{settings.EXTERNAL_PORT}" if settings.EXTERNAL_PORT else ""
    return f"{settings.EXTERNAL_SCHEME}://{settings.BASE_DOMAIN}{port}{path}"
