"""People of tests who have shown to read mail at their address, as a letter's link does it."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User


def prove(*accounts: User) -> None:
    for account in accounts:
        EmailAddress.objects.create(user=account, email=account.email, verified=True, primary=True)
