"""How operators sign in: the theme's form behind the same counters as the tenants' portals."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from core.address import client_address
from core.attempts import count_attempt, forget_attempts
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
