"""What protects one's own account: its factors, recovery codes and open sessions, and adding and ending them."""

from __future__ import annotations

import base64
from contextlib import suppress

from allauth.mfa.totp.internal.auth import generate_totp_secret
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from accounts.adapters import FactorAdapter
from accounts.errors import FactorNotFound
from accounts.pages.face import Face, account_of, fresh_only, on_platform
from accounts.selectors import address_of, factors_shown, has_factor, has_proved_address, sessions_of
from accounts.services.factors import add_app, remove_factor, renew_codes
from accounts.services.sessions import end_other_sessions, end_sign_in
from core.clock import utc_now
from core.crypto import SealBroken, seal, unseal
from core.errors import LumosError
from core.master_keys import Sealed
from core.proof import note_proof

_SECRET = "app_secret"  # noqa: S105 - the name of a mark in the session, which keeps the secret sealed


@on_platform
def overview(request: HttpRequest, face: Face) -> HttpResponse:
    return _overview(request, face)


def _overview(request: HttpRequest, face: Face, error: LumosError | None = None) -> HttpResponse:
    account = account_of(request)
    factors = factors_shown(account.pk)
    sessions = sessions_of(account, current=request.session.session_key or "", now=utc_now())
    shown = {
        "factors": factors,
        "sessions": sessions,
        "kinds": {factor.kind.value for factor in factors},
        "others": len(sessions) > 1,
        "address": address_of(account),
        "address_proved": has_proved_address(account),
    }
    return face.draw(request, "security", error, **shown)


@sensitive_post_parameters("code")
@on_platform
@fresh_only
def add_an_app(request: HttpRequest, face: Face) -> HttpResponse:
    """Shows the secret to scan, and takes the first code of who has scanned it."""
    account = account_of(request)
    try:
        secret = _secret(request, account)
    except LumosError as error:
        return face.draw(request, "refused", error)
    if request.method != "POST":
        return _draw_app(request, face, account, secret)
    first, now = not has_factor(account.pk), utc_now()
    try:
        codes = add_app(who=face.who(request), secret=secret, code=request.POST.get("code", ""), now=now)
    except LumosError as error:
        return _draw_app(request, face, account, secret, error)
    request.session.pop(_SECRET, None)
    after_first_factor(request, face, first)
    messages.success(request, _("The authenticator app is added."))
    return face.draw(request, "codes", codes=codes, home=face.address(face.home)) if codes else face.to("security")


def after_first_factor(request: HttpRequest, face: Face, first: bool) -> None:
    """This session has just proved the factor; sessions from before there was one end."""
    who, now = face.who(request), utc_now()
    note_proof(request.session, account_id=who.account_id, factor=True, now=now)
    if first:
        end_other_sessions(who=who, current=request.session.session_key or "", now=now)


def _secret(request: HttpRequest, account: User) -> str:
    """The secret that this browser is being shown, kept sealed in its session until a code proves that it arrived.

    One that does not open any more, because the master key was changed meanwhile, gives way to a new one.
    """
    context = f"django_session|{account.pk}|{_SECRET}"
    sealed = request.session.get(_SECRET)
    with suppress(SealBroken, Sealed):
        if sealed:
            return unseal(sealed, context=context)
    secret: str = generate_totp_secret()
    request.session[_SECRET] = seal(secret, context=context)
    return secret


def _draw_app(
    request: HttpRequest, face: Face, account: User, secret: str, error: LumosError | None = None
) -> HttpResponse:
    adapter = FactorAdapter()
    picture = adapter.build_totp_svg(adapter.build_totp_url(account, secret))
    encoded = base64.b64encode(picture.encode()).decode()
    groups = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
    return face.draw(request, "app", error, picture=f"data:image/svg+xml;base64,{encoded}", secret=groups)


@on_platform
@fresh_only
def new_codes(request: HttpRequest, face: Face) -> HttpResponse:
    if request.method != "POST":
        return face.to("security")
    try:
        codes = renew_codes(who=face.who(request), now=utc_now())
    except LumosError as error:
        return _overview(request, face, error)
    return face.draw(request, "codes", codes=codes, home=face.address("security"))


@on_platform
@fresh_only
def remove(request: HttpRequest, face: Face, factor_id: str) -> HttpResponse:
    """Asks first; only the POST removes."""
    factor = next((each for each in factors_shown(account_of(request).pk) if each.id == factor_id), None)
    try:
        if factor is None:
            raise FactorNotFound()
        if request.method != "POST":
            return face.draw(request, "remove", factor=factor)
        required = face.needs_factor(request)
        remove_factor(who=face.who(request), factor_id=factor_id, required=required, now=utc_now())
    except LumosError as error:
        return _overview(request, face, error)
    messages.success(request, _("The factor is removed."))
    return face.to("security")


@on_platform
def end_one(request: HttpRequest, face: Face, session_id: str) -> HttpResponse:
    if request.method == "POST":
        try:
            end_sign_in(who=face.who(request), session_id=session_id, now=utc_now())
        except LumosError as error:
            return _overview(request, face, error)
        messages.success(request, _("The session is ended."))
    return face.to("security")


@on_platform
def end_others(request: HttpRequest, face: Face) -> HttpResponse:
    if request.method == "POST":
        end_other_sessions(who=face.who(request), current=request.session.session_key or "", now=utc_now())
        messages.success(request, _("All your other sessions are ended."))
    return face.to("security")
