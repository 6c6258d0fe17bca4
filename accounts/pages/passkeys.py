"""Passkeys on pages: a script asks for a challenge (`begin`) and sends the browser's answer as a field of the form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from accounts.data import Place
from accounts.errors import WrongPasskey
from accounts.pages.face import Face, account_of, fresh_only, on_platform, safe_address
from accounts.pages.security import after_first_factor
from accounts.selectors import has_factor
from accounts.services.passkeys import account_behind, add_passkey, begin_to_add, begin_to_use
from accounts.services.sign_in import let_in
from core.address import client_address
from core.attempts import count_asking, forget_askings
from core.clock import utc_now
from core.errors import LumosError

_LONGEST = 20_000  # characters of a browser's answer


def credential_in(request: HttpRequest) -> dict[str, Any]:
    """The browser's answer. Raises WrongPasskey for what is none."""
    text = request.POST.get("credential", "")
    try:
        found = json.loads(text) if len(text) <= _LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise WrongPasskey()
    return found


def challenge(request: HttpRequest, place: Place, account_id: int | None) -> JsonResponse:
    """The answer to `begin` where a passkey is to be used."""
    return JsonResponse(begin_to_use(request.session, place=place, account_id=account_id))


@never_cache
@require_POST
@on_platform
def enter(request: HttpRequest, face: Face, may_enter: Callable[[User], bool]) -> HttpResponse:
    """Sign in by a passkey alone; `may_enter` says who is let in here."""
    place, now = face.place(request), utc_now()
    if "begin" in request.POST:
        return challenge(request, place, None)
    counted = {"realm": f"passkey|{place.realm}", "address": client_address(request)}
    try:
        count_asking(**counted)
        account = account_behind(request, place=place, credential=credential_in(request), now=now)
        if not may_enter(account):
            raise WrongPasskey()
    except LumosError as error:
        return face.draw(request, "refused", error)
    forget_askings(**counted)
    let_in(request, account=account, place=place, by="webauthn", factor=True, now=now)
    wanted = request.POST.get("next", "")
    return HttpResponseRedirect(safe_address(request, wanted, face.address(face.home)))


@on_platform
@fresh_only
def add_a_passkey(request: HttpRequest, face: Face) -> HttpResponse:
    who, account = face.who(request), account_of(request)
    if "begin" in request.POST:
        return JsonResponse(begin_to_add(request.session, who=who))
    if request.method != "POST":
        return face.draw(request, "passkey")
    first, name = not has_factor(account.pk), request.POST.get("name", "")
    try:
        codes = add_passkey(request.session, who=who, credential=credential_in(request), name=name, now=utc_now())
    except LumosError as error:
        return face.draw(request, "passkey", error, name=name)
    after_first_factor(request, face, first)
    messages.success(request, _("The passkey is added."))
    return face.draw(request, "codes", codes=codes, home=face.address(face.home)) if codes else face.to("security")
