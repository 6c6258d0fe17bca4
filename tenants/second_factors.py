"""Whether an account must show more than a password; owns the question, not the factors.

The room that keeps factors says here how they are checked. While none does, accounts have only a password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.auth.models import User

from tenants.errors import SecondFactorNeeded, WrongCredentials


@dataclass(frozen=True, slots=True)
class FactorCheck:
    """`has(account)`, and `passes(account, code)`, which uses up a code that may be used once."""

    has: Callable[[User], bool]
    passes: Callable[[User, str], bool]


_checks: list[FactorCheck] = []


def register_factors(check: FactorCheck) -> None:
    if check not in _checks:
        _checks.append(check)


def demand_factor(account: User, code: str, *, always: bool = False) -> bool:
    """Whether a factor was proved.

    Raises SecondFactorNeeded without a code where one is needed, WrongCredentials with one that does not pass.

    `always`: also of an account that has no factor, which then gets in nowhere.
    """
    needed = [check for check in _checks if check.has(account)]
    if (needed and not code) or (always and not needed):
        raise SecondFactorNeeded()
    if needed and not any(check.passes(account, code) for check in needed):
        raise WrongCredentials()
    return bool(needed)
