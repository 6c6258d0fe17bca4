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
from django.utils.translation import gettext as _

from accounts.asking import document_of, who_came
from accounts.data import Place
from accounts.errors import IdentityTaken, NoProvider, NoSignInWaiting, SignInRefused
from accounts.models import Identity, IdentityProvider
from accounts.openid import Claims, Question, address_to_ask
from accounts.services.factors import tell
from accounts.services.providers import TURN, client_of
from accounts.services.sign_in import PROVIDER, begin_sign_in, who_is
from core.address import client_address
from core.attempts import count_asking, forget_askings
from core.ids import new_ulid
from core.locks import wait_turn
from tenants.api import Role, admit_account, is_domain_allowed, membership_of

_MARK = "openid_question"
_MINUTES = 10


def begin_at_provider(
    request: HttpRequest, *, place: Place, redirect_uri: str, back_to: str, tie_to: int | None, now: datetime
) -> str:
    """Where to send the browser. `tie_to`: the signed-in account that wants the identity for itself.

    Raises NoProvider, ProviderFailed, ProviderBusy, and TooManyAttempts.
    """
    count_asking(realm=_realm(place), address=client_address(request))
    row = provider_of(place.tenant_id)
    document = document_of(row.tenant_id, row.issuer, now)
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

    Raises NoSignInWaiting, SignInRefused, ProviderFailed, ProviderBusy, NoProvider, IdentityTaken and TooManyAttempts.
    """
    asked = {"realm": _realm(place), "address": client_address(request)}
    count_asking(**asked)
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
    claims = who_came(row.tenant_id, client_of(row, redirect_uri), question, request.GET["code"], now)
    if mark["tie_to"] is not None:
        _tie(request, row, claims, account_id=mark["tie_to"], place=place, now=now)
        return True, mark["back_to"]
    back_to: str = mark["back_to"]
    with transaction.atomic():  # with its session, so that whoever removes the provider finds both or neither
        account = account_of_identity(row=row, claims=claims, place=place, now=now)
        first = {"by": PROVIDER, "issuer": row.issuer}
        done = begin_sign_in(request, account=account, place=place, back_to=back_to, now=now, **first)
    forget_askings(**asked)
    return done, back_to


@transaction.atomic
def account_of_identity(*, row: IdentityProvider, claims: Claims, place: Place, now: datetime) -> User:
    """Whose identity it is; made for somebody new where the tenant wants that. Raises SignInRefused.

    An account is a member of the tenant or it does not come in. Two who come at once with one identity are one.
    """
    _hold(row)
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
    """A new account of its own, without an address: what the provider says of it must not be found as somebody's.

    Where the tenant takes in people of certain domains only, the provider must say that it is one of theirs.
    """
    if not is_domain_allowed(row.tenant_id, "" if claims.email_denied else claims.email):
        raise SignInRefused(_("This workspace takes in people of certain e-mail domains only."))
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
    _hold(row)
    known = _identities(row, claims).first()
    if known is not None and known.user_id != account.pk:
        raise IdentityTaken()
    if known is None:
        _keep(row, claims, account, now)
        tell(who_is(account, place), "identities.tie", {"issuer": row.issuer, "said_email": claims.email})


def _hold(row: IdentityProvider) -> None:
    """Wait for whoever looks for an identity there, or changes the provider. Raises NoProvider if it changed."""
    wait_turn(TURN, row.tenant_id)
    if provider_of(row.tenant_id).issuer != row.issuer:
        raise NoProvider()


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


def _realm(place: Place) -> str:
    return f"openid|{place.realm}"
