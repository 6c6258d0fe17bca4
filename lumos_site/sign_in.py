"""How operators sign in: the theme's form behind the counters of all sign-in pages, then always a second factor."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.forms import Form
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.forms import AuthenticationForm

from accounts.api import begin_sign_in, place_of
from core.address import client_address
from core.attempts import count_attempt, forget_attempts
from core.clock import utc_now
from core.errors import LumosError

REALM = "operators"


class OperatorSignInForm(AuthenticationForm):  # type: ignore[misc]
    """Counts the attempt before the password is looked at, and forgets the account's attempts after a success."""

    def clean(self) -> dict[str, Any]:
        who = {
            "realm": REALM,
            "address": client_address(self.request),
            "account": str(self.cleaned_data.get("username", "")).strip().lower(),
        }
        try:
            count_attempt(**who)
        except LumosError as error:
            raise ValidationError(f"{error.message} {error.next_step or ''}".strip(), code=error.code) from error
        cleaned: dict[str, Any] = super().clean()
        forget_attempts(**who)
        return cleaned


class OperatorLoginView(LoginView):
    """The first step. After it nobody is in: the code of a factor is asked for, or the first one is added."""

    authentication_form = OperatorSignInForm
    template_name = "admin/lumos/login.html"
    next_page = "admin:index"

    def form_valid(self, form: Form) -> HttpResponse:
        account = cast("User", form.get_user())  # type: ignore[attr-defined]
        place, back_to = place_of(self.request), self.get_success_url()
        done = begin_sign_in(self.request, account=account, place=place, back_to=back_to, now=utc_now())
        return HttpResponseRedirect(reverse("admin:security_app" if done else "admin:sign_in_code"))
