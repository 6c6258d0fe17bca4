"""Passkeys (WebAuthn): added, and used as the second step, for a fresh proof, or in place of the password.

A passkey is bound to the host on which it was added: browsers see to that, and we offer and accept it on no other. The
origin that a browser names must be exactly the page's. A challenge is forgotten before its answer is looked at, and so
answered once; it is good for one purpose of one account. Without a password a passkey must have verified its user, by
a finger or a PIN.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from allauth.mfa.models import Authenticator
from cryptography.exceptions import InvalidSignature
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.adapters import factors_of
from accounts.data import FactorKind, Place, Who
from accounts.errors import WrongPasskey
from accounts.services.factors import first_codes, lock_account, tell
from accounts.services.sign_in import let_in, waiting_account, who_is
from accounts.waiting import first_step
from core.proof import note_proof
from core.text import is_storable

_STATE = "passkey_challenge"
_LONGEST_NAME = 60
Session = MutableMapping[str, Any]
Json = dict[str, Any]
_NOT_OURS = (ValueError, TypeError, KeyError, AttributeError, InvalidSignature)


class _Purpose(StrEnum):
    """What a challenge was made for. USE asks an account for one of its own passkeys; ENTER asks who it is."""

    ADD = "add"
    USE = "use"
    ENTER = "enter"


def begin_to_add(session: Session, *, who: Who) -> Json:
    """What the browser needs to make a passkey for this account and host."""
    account = User.objects.get(pk=who.account_id)
    name = account.email or account.get_username()
    entity = PublicKeyCredentialUserEntity(id=str(account.pk).encode(), name=name, display_name=name)
    options, state = _server(who.place).register_begin(
        entity,
        credentials=list(_credentials(account.pk, who.place).values()),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    _keep(session, state, _Purpose.ADD, who.account_id)
    return dict(options)


def add_passkey(session: Session, *, who: Who, credential: Json, name: str, now: datetime) -> tuple[str, ...]:
    """Make what the browser answered a factor; returns recovery codes when the account had none.

    Raises WrongPasskey.
    """
    state = _take(session, _Purpose.ADD, who.account_id)
    try:
        _server(who.place).register_complete(state, credential)
        proved = _needed_of(credential)
    except _NOT_OURS as error:
        raise WrongPasskey() from error
    name = name.strip()[:_LONGEST_NAME] if is_storable(name) else ""
    with transaction.atomic(), factors_of(who.account_id):
        account = lock_account(who.account_id)
        kept = {"name": name or _("Passkey"), "credential": proved, "rp": who.place.host}
        Authenticator.objects.create(user=account, type=FactorKind.PASSKEY, data=kept, created_at=now)
        tell(who, "factors.add", {"kind": FactorKind.PASSKEY.value, "host": who.place.host})
        return first_codes(who, account)


def begin_to_use(session: Session, *, place: Place, account_id: int | None) -> Json:
    """What the browser needs to prove a passkey: one of that account's, or None: anybody's, in place of a password."""
    credentials = None if account_id is None else list(_credentials(account_id, place).values())
    needed = UserVerificationRequirement.REQUIRED if account_id is None else UserVerificationRequirement.PREFERRED
    options, state = _server(place).authenticate_begin(credentials, user_verification=needed)
    _keep(session, state, _Purpose.ENTER if account_id is None else _Purpose.USE, account_id)
    return dict(options)


def check_passkey(session: Session, *, place: Place, account_id: int, credential: Json, now: datetime) -> None:
    """Raises WrongPasskey unless the answer is to this session's challenge of that account, by a passkey of its own."""
    state = _take(session, _Purpose.USE, account_id)
    _check(state, place=place, account_id=account_id, credential=credential, now=now)


def _check(state: Json, *, place: Place, account_id: int, credential: Json, now: datetime) -> None:
    known = _credentials(account_id, place)
    try:
        used = _server(place).authenticate_complete(state, list(known.values()), credential)
        row = next(key for key, data in known.items() if data.credential_id == used.credential_id)
    except (*_NOT_OURS, StopIteration) as error:
        raise WrongPasskey() from error
    Authenticator.objects.filter(pk=row).update(last_used_at=now)


def sign_in_by_passkey(request: HttpRequest, *, place: Place, credential: Json, now: datetime) -> str:
    """The second step by a passkey; returns where the person wanted to go. Raises NoSignInWaiting and WrongPasskey."""
    account, back_to = waiting_account(request, place, now)
    check_passkey(request.session, place=place, account_id=account.pk, credential=credential, now=now)
    let_in(request, account=account, place=place, by=f"{first_step(request.session)}, webauthn", factor=True, now=now)
    return back_to


def account_behind(request: HttpRequest, *, place: Place, credential: Json, now: datetime) -> User:
    """Whose passkey was given in place of a password; nobody is signed in yet. Raises WrongPasskey."""
    state = _take(request.session, _Purpose.ENTER, None)
    try:
        handle = websafe_decode(credential["response"]["userHandle"]).decode()
    except _NOT_OURS as error:
        raise WrongPasskey() from error
    named = handle.isascii() and handle.isdecimal() and len(handle) < 16
    account = User.objects.filter(pk=int(handle), is_active=True).first() if named else None
    if account is None:
        raise WrongPasskey()
    _check(state, place=place, account_id=account.pk, credential=credential, now=now)
    return account


def confirm_by_passkey(request: HttpRequest, *, account: User, place: Place, credential: Json, now: datetime) -> None:
    """A fresh proof by a passkey. Raises WrongPasskey."""
    check_passkey(request.session, place=place, account_id=account.pk, credential=credential, now=now)
    note_proof(request.session, account_id=account.pk, factor=True, now=now)
    tell(who_is(account, place), "sessions.confirm", {"by": "webauthn"})


def _keep(session: Session, state: Any, purpose: _Purpose, account_id: int | None) -> None:
    session[_STATE] = {"purpose": purpose.value, "account": account_id, "state": state}


def _take(session: Session, purpose: _Purpose, account_id: int | None) -> Json:
    """The challenge, which is forgotten. Raises WrongPasskey when there is none for this purpose of this account."""
    kept = session.pop(_STATE, None)
    if not isinstance(kept, dict) or (kept.get("purpose"), kept.get("account")) != (purpose, account_id):
        raise WrongPasskey()
    return cast(Json, kept["state"])


def _needed_of(credential: Json) -> Json:
    """Of a new passkey what is read again when it is used, and nothing else that a browser may send along."""
    new = RegistrationResponse.from_dict(credential)
    name, answer = websafe_encode(new.raw_id), new.response
    proof = {
        "clientDataJSON": websafe_encode(answer.client_data),
        "attestationObject": websafe_encode(answer.attestation_object),
    }
    return {"id": name, "rawId": name, "type": "public-key", "response": proof}


def _server(place: Place) -> Fido2Server:
    rp = PublicKeyCredentialRpEntity(name="Lumos", id=place.host)
    return Fido2Server(rp, verify_origin=lambda origin: origin == place.origin)


def _credentials(account_id: int, place: Place) -> dict[int, AttestedCredentialData]:
    """The account's passkeys of this host, by their rows."""
    rows = Authenticator.objects.filter(user_id=account_id, type=FactorKind.PASSKEY, data__rp=place.host)
    return {row.pk: cast(AttestedCredentialData, row.wrap().authenticator_data.credential_data) for row in rows}
