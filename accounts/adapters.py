"""What the sign-in library asks of its installation; owns that no secret of a factor is at rest in clear.

A sealed secret is bound to the account that it belongs to, so that it opens nothing in another account's row. The
library's hooks are told the text only, so whoever seals or opens says for whom by `factors_of`, and without it fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from core.crypto import seal, unseal

_owner: ContextVar[int] = ContextVar("lumos_factors_of")


@contextmanager
def factors_of(account_id: int) -> Iterator[None]:
    """Secrets that are sealed or opened in this block are that account's."""
    token = _owner.set(account_id)
    try:
        yield
    finally:
        _owner.reset(token)


def _context() -> str:
    return f"mfa_authenticator|{_owner.get()}|data"


class FactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return seal(text, context=_context())

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, context=_context())


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """None of the library's own pages is served; should one ever be, it takes in nobody."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
