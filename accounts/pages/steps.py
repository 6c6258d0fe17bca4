"""The second step of a sign-in, and proving again who is there before something sensitive."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.errors import NoSignInWaiting
from accounts.pages.face import Face, account_of, on_platform, safe_address
from accounts.pages.passkeys import challenge, credential_in
from accounts.selectors import has_factor, has_passkey
from accounts.services.passkeys import confirm_by_passkey, sign_in_by_passkey
from accounts.services.sign_in import confirm_identity, finish_sign_in, waiting_account
from core.clock import utc_now
from core.errors import LumosError


@sensitive_post_parameters("code")
@never_cache
@require_http_methods(["GET", "POST"])
@on_platform
def second_step(request: HttpRequest, face: Face) -> HttpResponse:
    """Asks for a code of who gave the right password; without such a sign-in it sends to the first step."""
    now, place, shown = utc_now(), face.place(request), dict[str, Any]()
    try:
        account, _back_to = waiting_account(request, place, now)
        shown = {"by_passkey": has_passkey(account.pk, place)}
        if request.method == "GET":
            return face.draw(request, "code", **shown)
        if "begin" in request.POST:
            return challenge(request, place, account.pk)
        if "credential" in request.POST:
            back_to = sign_in_by_passkey(request, place=place, credential=credential_in(request), now=now)
        else:
            back_to = finish_sign_in(request, place=place, code=request.POST.get("code", ""), now=now)
    except NoSignInWaiting:
        return face.to(face.entrance)
    except LumosError as error:
        return face.draw(request, "code", error, **shown)
    return HttpResponseRedirect(safe_address(request, back_to, face.address(face.home)))


@sensitive_post_parameters("secret")
@never_cache
@require_http_methods(["GET", "POST"])
@on_platform
def confirm(request: HttpRequest, face: Face) -> HttpResponse:
    """Asks for a code, or of who has no factor for the password, and goes on to where the person was."""
    account = account_of(request)
    given = request.POST.get("next") or request.GET.get("next") or ""
    back_to = safe_address(request, given, face.address("security"))
    place, now = face.place(request), utc_now()
    by_passkey = has_passkey(account.pk, place)
    shown: dict[str, Any] = {"next": back_to, "by_code": has_factor(account.pk), "by_passkey": by_passkey}
    if request.method == "GET":
        return face.draw(request, "confirm", **shown)
    if "begin" in request.POST:
        return challenge(request, place, account.pk)
    try:
        if "credential" in request.POST:
            given_key = credential_in(request)
            confirm_by_passkey(request, account=account, place=place, credential=given_key, now=now)
        else:
            secret = request.POST.get("secret", "")
            confirm_identity(request, who=face.who(request), account=account, secret=secret, now=now)
    except LumosError as error:
        return face.draw(request, "confirm", error, **shown)
    return HttpResponseRedirect(back_to)
