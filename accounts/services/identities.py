"""Signing in through a tenant's identity provider; owns that an identity is (tenant, issuer, subject).

An address that a provider asserts opens nothing and finds nobody: whoever runs a provider can assert any. An account
gets its identity by being made for it, or by its owner, signed in, tying it.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.data import Place
from accounts.errors import IdentityTaken, NoProvider, NoSignInWaiting, SignInRefused
from accounts.models import Identity, IdentityProvider
from accounts.openid import Claims, Question, address_to_ask, discover, redeem
from accounts.services.factors import tell
from accounts.services.providers import client_of
from accounts.services.sign_in import begin_sign_in, who_is
from core.http import SafeClient, tenant_policy
from core.ids import new_ulid
from tenants.api import Role, admit_account, membership_of

_MARK = "openid_question"
_MINUTES = 10


def begin_at_provider(
    request: HttpRequest, *, place: Place, redirect_uri: str, back_to: str, tie_to: int | None, now: datetime
) -> str:
    """Where to send the browser. `tie_to`: the signed-in account that wants the identity for itself.

    Raises NoProvider and ProviderFailed.
    """
    row = provider_of(place.tenant_id)
    document = discover(_http(), row.issuer)
    question = Question(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))
    request.session[_MARK] = {
        "tenant": place.tenant_id,
        "issuer": row.issuer,
        "state": question.state,
        "nonce": question.nonce,
        "verifier": question.verifier,
        "back_to": back_to,
        "tie_to": tie_to,
        "at": now.timestamp(),
    }
    return address_to_ask(document, client_of(row, redirect_uri), question)


def finish_at_provider(request: HttpRequest, *, place: Place, redirect_uri: str, now: datetime) -> tuple[bool, str]:
    """The browser is back: whether it is signed in (else a second factor is waited for), and where it wanted to go.

    Raises NoSignInWaiting, SignInRefused, ProviderFailed, NoProvider and IdentityTaken.
    """
    mark = request.session.pop(_MARK, None)  # each state is answered once, whatever comes of it
    row = provider_of(place.tenant_id)
    given = request.GET.get("state", "")
    if not isinstance(mark, dict) or not constant_time_compare(mark["state"], given) or not given:
        raise NoSignInWaiting()
    late = now.timestamp() - mark["at"] > 60 * _MINUTES
    if late or (mark["tenant"], mark["issuer"]) != (place.tenant_id, row.issuer):
        raise NoSignInWaiting()
    if request.GET.get("iss", row.issuer) != row.issuer or not request.GET.get("code"):
        raise SignInRefused()
    question = Question(mark["state"], mark["nonce"], mark["verifier"])
    claims = redeem(_http(), client_of(row, redirect_uri), question, request.GET["code"])
    if mark["tie_to"] is not None:
        _tie(request, row, claims, account_id=mark["tie_to"], place=place, now=now)
        return True, mark["back_to"]
    account = account_of_identity(row=row, claims=claims, place=place, now=now)
    back_to: str = mark["back_to"]
    done = begin_sign_in(request, account=account, place=place, back_to=back_to, now=now, by="openid")
    return done, back_to


@transaction.atomic
def account_of_identity(*, row: IdentityProvider, claims: Claims, place: Place, now: datetime) -> User:
    """Whose identity it is; made for somebody new where the tenant wants that. Raises SignInRefused.

    An account is a member of the tenant or it does not come in.
    """
    known = _identities(row, claims).select_related("user").select_for_update(of=("self",)).first()
    if known is None:
        if not row.admits:
            raise SignInRefused()
        return _admit(row, claims, place, now)
    if not known.user.is_active or membership_of(known.user.pk, row.tenant_id) is None:
        raise SignInRefused()
    known.used_at, known.said_email = now, claims.email
    known.save(update_fields=["used_at", "said_email"])
    return known.user


def _admit(row: IdentityProvider, claims: Claims, place: Place, now: datetime) -> User:
    """A new account of its own, without an address: what the provider says of it must not be found as somebody's."""
    account = User(username=f"openid-{new_ulid()}", first_name=(claims.name or claims.email)[:150])
    account.set_unusable_password()
    account.save()
    who = who_is(account, place)
    admit_account(tenant_id=row.tenant_id, account=account, role=Role(row.role), acting=who.actor, now=now)
    _keep(row, claims, account, now)
    tell(who, "identities.admit", {"issuer": row.issuer, "said_email": claims.email, "role": row.role})
    return account


@transaction.atomic
def _tie(
    request: HttpRequest, row: IdentityProvider, claims: Claims, *, account_id: int, place: Place, now: datetime
) -> None:
    """To who is signed in, and was when the question was asked. Raises IdentityTaken and SignInRefused."""
    account = request.user
    if not isinstance(account, User) or account.pk != account_id or membership_of(account.pk, row.tenant_id) is None:
        raise SignInRefused()
    known = _identities(row, claims).first()
    if known is not None and known.user_id != account.pk:
        raise IdentityTaken()
    if known is None:
        _keep(row, claims, account, now)
        tell(who_is(account, place), "identities.tie", {"issuer": row.issuer, "said_email": claims.email})


def _keep(row: IdentityProvider, claims: Claims, account: User, now: datetime) -> None:
    Identity.objects.create(
        tenant_id=row.tenant_id,
        issuer=row.issuer,
        subject=claims.subject,
        user=account,
        said_email=claims.email,
        created_at=now,
        used_at=now,
    )


def _identities(row: IdentityProvider, claims: Claims) -> QuerySet[Identity]:
    return Identity.objects.filter(tenant_id=row.tenant_id, issuer=row.issuer, subject=claims.subject)


def provider_of(tenant_id: str) -> IdentityProvider:
    """Raises NoProvider, for the operators' site too."""
    row = IdentityProvider.objects.filter(pk=tenant_id).first() if tenant_id else None
    if row is None:
        raise NoProvider()
    return row


def _http() -> SafeClient:
    return SafeClient(tenant_policy())
