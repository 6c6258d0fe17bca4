"""Asking for a letter, and the pages behind the links of letters.

A link's token is looked at once and then kept in the session, so that no address, history or referrer holds it while
somebody fills in a form. Following a link changes nothing by itself: programs that read mail follow links too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import password_validators_help_text_html, validate_password
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from accounts.errors import LetterVoid
from accounts.pages.face import Face, on_platform
from accounts.services.letters import account_to_reset, ask_proof_of_address, ask_reset, prove_address, reset_password
from core.address import client_address
from core.clock import utc_now
from core.errors import LumosError

_TOKEN = "reset_token"  # noqa: S105 - the name of a mark in the session


class NewPasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text=password_validators_help_text_html(),
    )

    def __init__(self, *args: Any, account: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._account = account

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, self._account)
        return password


@never_cache
@require_http_methods(["GET", "POST"])
@on_platform
def reset(request: HttpRequest, face: Face, find: Callable[[str], User | None]) -> HttpResponse:
    """Takes an address; `find` says whose account at this place it is. The answer is the same for everybody."""
    if request.method == "GET":
        return face.draw(request, "reset")
    email = request.POST.get("email", "").strip().lower()
    try:
        if not email or "@" not in email or len(email) > 150:
            return face.draw(request, "reset", email=email, missing=True)
        ask_reset(
            account=find(email),
            email=email,
            place=face.place(request),
            address=client_address(request),
            language=get_language() or "en",
            now=utc_now(),
        )
    except LumosError as error:
        return face.draw(request, "reset", error, email=email)
    return face.draw(request, "reset", sent=True, email=email)


@never_cache
@require_GET
@on_platform
def reset_link(request: HttpRequest, face: Face, token: str) -> HttpResponse:
    try:
        account_to_reset(token, utc_now())
    except LumosError as error:
        return face.draw(request, "refused", error)
    request.session[_TOKEN] = token
    return face.to("reset_new")


@sensitive_post_parameters("password")
@never_cache
@require_http_methods(["GET", "POST"])
@on_platform
def reset_new(request: HttpRequest, face: Face) -> HttpResponse:
    now, token = utc_now(), request.session.get(_TOKEN, "")
    try:
        account = account_to_reset(token, now)
        form = NewPasswordForm(request.POST if request.method == "POST" else None, account=account)
        if not form.is_valid():
            return face.draw(request, "reset_new", form=form, name=account.get_username())
        reset_password(token=token, password=form.cleaned_data["password"], place=face.place(request), now=now)
    except LumosError as error:
        return face.draw(request, "refused", error)
    request.session.pop(_TOKEN, None)
    messages.success(request, _("Your password is changed. Sign in with it."))
    return face.to(face.entrance)


@never_cache
@require_http_methods(["GET", "POST"])
@on_platform
def address_link(request: HttpRequest, face: Face, token: str) -> HttpResponse:
    """Asks whether to confirm; only the POST does."""
    if request.method == "GET":
        return face.draw(request, "address")
    try:
        prove_address(token=token, place=face.place(request), now=utc_now())
    except LetterVoid as error:
        return face.draw(request, "refused", error)
    except LumosError as error:
        return face.draw(request, "address", error)
    return face.draw(request, "address", done=True)


@on_platform
def ask_address(request: HttpRequest, face: Face) -> HttpResponse:
    if request.method == "POST":
        try:
            ask_proof_of_address(who=face.who(request), language=get_language() or "en", now=utc_now())
        except LumosError as error:
            messages.error(request, " ".join(str(part) for part in (error.message, error.next_step) if part))
        else:
            messages.success(request, _("A letter is on its way to you."))
    return face.to("security")
