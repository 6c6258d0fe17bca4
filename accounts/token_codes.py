"""Codes of factors for callers without a browser: whoever opens an API session shows the account's factor, too."""

from __future__ import annotations

from django.contrib.auth.models import User

from accounts.data import Place, Who
from accounts.errors import WrongCode
from accounts.selectors import has_factor
from accounts.services.factors import use_code
from audit.api import Actor
from core.clock import utc_now
from core.tenancy import platform_scope
from tenants.api import FactorCheck, register_factors


def _has(account: User) -> bool:
    with platform_scope():
        return has_factor(account.pk)


def _passes(account: User, code: str) -> bool:
    """Raises TooManyAttempts and Unavailable."""
    who = Who(account.pk, Place("", ""), Actor("member", str(account.pk), account.email or account.get_username()))
    with platform_scope():
        try:
            use_code(who=who, code=code, now=utc_now())
        except WrongCode:
            return False
    return True


register_factors(FactorCheck(_has, _passes))
