"""How often somebody may try a password or a code; owns the counters in Redis, and fails closed when Redis is away.

Passwords: per address and account, and per address alone. Codes of a second step: per account, from wherever they
come, because who guesses them knows the password. Sign-ins that name nobody yet, by a passkey or through an identity
provider: per address and place, and only those that led nowhere. Each in a window that begins with the first attempt.
The account is part of a counter's name as an HMAC only. `realm` tells sign-in pages apart: a tenant's id, or
`operators`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import redis as redis_library
from django.utils.translation import gettext as _

from core.crypto import hmac_digest
from core.errors import TooManyRequests, Unavailable
from core.redis import control, key

WINDOW_SECONDS = 900
PER_ACCOUNT = 8
PER_ADDRESS = 60
CODES_PER_ACCOUNT = 8
ASKINGS_PER_ADDRESS = 30


class TooManyAttempts(TooManyRequests):
    code = "too_many_sign_in_attempts"
    title = "Too many attempts to sign in"


def count_attempt(*, realm: str, address: str, account: str) -> None:
    """Count before the password is looked at. Raises TooManyAttempts, and Unavailable when Redis is away."""
    _count_all({_account_key(realm, address, account): PER_ACCOUNT, _address_key(address): PER_ADDRESS})


def forget_attempts(*, realm: str, address: str, account: str) -> None:
    """After a success the account starts anew; the address does not, else one good account would open the rest."""
    control().delete(_account_key(realm, address, account))


def count_code(account: str) -> None:
    """Count before a code of that account is looked at. Raises as `count_attempt` does."""
    _count_all({_code_key(account): CODES_PER_ACCOUNT})


def forget_codes(account: str) -> None:
    """After a right code the account starts anew."""
    control().delete(_code_key(account))


def count_asking(*, realm: str, address: str) -> None:
    """Count before somebody is looked for who has named no account. Raises as `count_attempt` does."""
    _count_all({_account_key(realm, address, ""): ASKINGS_PER_ADDRESS})


def forget_askings(*, realm: str, address: str) -> None:
    """Somebody came in: colleagues behind one address do not shut one another out."""
    forget_attempts(realm=realm, address=address, account="")


def _count_all(names: Mapping[str, int]) -> None:
    try:
        waits = [_count(name, most) for name, most in names.items()]
    except redis_library.RedisError as error:
        raise Unavailable(_("Signing in is not possible at the moment."), next_step=_("Try again soon.")) from error
    if wait := max(waits):
        raise TooManyAttempts(
            _("Too many attempts to sign in."),
            next_step=_("Try again in %(minutes)d min.") % {"minutes": -(-wait // 60)},
            headers={"Retry-After": str(wait)},
        )


def _count(name: str, most: int) -> int:
    """Seconds to wait, 0 when the attempt is within `most`."""
    pipe = control().pipeline(transaction=True)
    pipe.incr(name)
    pipe.expire(name, WINDOW_SECONDS, nx=True)
    pipe.ttl(name)
    used, _set, left = cast("tuple[int, bool, int]", tuple(pipe.execute()))
    return max(left, 1) if used > most else 0


def _account_key(realm: str, address: str, account: str) -> str:
    who = hmac_digest(f"{realm}|{address}|{account}", "sign_in_attempts")
    return key("sign-in", "attempts", who)


def _code_key(account: str) -> str:
    return key("sign-in", "codes", hmac_digest(account, "sign_in_attempts"))


def _address_key(address: str) -> str:
    return key("sign-in", "attempts", "from", address)
