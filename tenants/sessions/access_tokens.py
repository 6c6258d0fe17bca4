"""Access tokens: JWTs of five minutes (RFC 7519, 8037, 9068); owns their claims and what makes one valid.

A token says for whom it was made and in which session, never what its holder may do: role, membership and status are
read from the database at each request. The header may hold what we write and nothing else, so no token can name its own
key, algorithm or an extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt
from django.conf import settings
from django.utils.translation import gettext as _
from jwt.types import Options

from core.errors import InvalidInput, NotAuthenticated
from core.ids import new_ulid, parse_prefixed, prefixed
from tenants.data import AccessClaims
from tenants.sessions.keys import signing_keys
from tenants.sessions.ring import ACCESS_LIFETIME, LEEWAY, signing_key, valid_keys

ALGORITHM, TYPE = "EdDSA", "at+jwt"
_LONGEST = 1_500
_HEADER = {"alg", "kid", "typ"}
# Times are held against the caller's clock and the rest against our own ids, below.
_UNCHECKED = Options(
    verify_exp=False,
    verify_nbf=False,
    verify_iat=False,
    verify_aud=False,
    verify_iss=False,
    verify_sub=False,
    verify_jti=False,
)


class AccessTokenInvalid(NotAuthenticated):
    code = "access_token_invalid"
    title = "This access token is not valid here"


def issuer() -> str:
    """This installation, by the address of its operators' host."""
    port = f":{settings.EXTERNAL_PORT}" if settings.EXTERNAL_PORT else ""
    return f"{settings.EXTERNAL_SCHEME}://{settings.BASE_DOMAIN}{port}"


def looks_like_one(text: str) -> bool:
    """Whether a credential is to be read here at all; says nothing on whether it holds."""
    return text.startswith("eyJ") and text.count(".") == 2


def mint_access_token(claims: AccessClaims, *, now: datetime) -> str:
    key, moment = signing_key(signing_keys(now), now), int(now.timestamp())
    body = {
        "iss": issuer(),
        "aud": prefixed("ten", claims.tenant_id),
        "sub": prefixed("mem", claims.membership_id),
        "sid": prefixed("ses", claims.session_id),
        "jti": new_ulid(),
        "iat": moment,
        "nbf": moment,
        "exp": moment + int(ACCESS_LIFETIME.total_seconds()),
    }
    return jwt.encode(body, key.private, algorithm=ALGORITHM, headers={"kid": key.kid, "typ": TYPE})


def read_access_token(text: str, *, now: datetime) -> AccessClaims:
    """What a token of this installation says, whether or not its session lives. Raises AccessTokenInvalid."""
    try:
        body = _verified(text, now)
        _check_times(body, now)
        if body["iss"] != issuer():
            raise ValueError("another installation's")
        return AccessClaims(
            parse_prefixed("ten", _text(body["aud"])),
            parse_prefixed("mem", _text(body["sub"])),
            parse_prefixed("ses", _text(body["sid"])),
        )
    except (jwt.PyJWTError, InvalidInput, ValueError, KeyError, TypeError, RecursionError) as error:
        raise AccessTokenInvalid(
            _("This access token is not valid here."), next_step=_("Ask for a new one with the refresh token.")
        ) from error


def _verified(text: str, now: datetime) -> Mapping[str, Any]:
    if len(text) > _LONGEST:
        raise ValueError("longer than any of ours")
    header = jwt.get_unverified_header(text)
    if set(header) != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE:
        raise ValueError("not a header of ours")
    key = next(key for key in (*valid_keys(signing_keys(now), now), None) if key is None or key.kid == header["kid"])
    if key is None:
        raise ValueError("signed by no key in force")
    return jwt.decode(text, key.private.public_key(), algorithms=[ALGORITHM], options=_UNCHECKED)


def _check_times(body: Mapping[str, Any], now: datetime) -> None:
    """Against the caller's clock, in whole seconds: a number of another kind is no instant."""
    moments = [body[name] for name in ("iat", "nbf", "exp")]
    if any(type(moment) is not int for moment in moments):
        raise ValueError("an instant is a whole number")
    made, begins, ends = moments
    slack, moment = LEEWAY.total_seconds(), now.timestamp()
    if not (made - slack <= moment and begins - slack <= moment < ends + slack):
        raise ValueError("over, or not yet valid")


def _text(value: object) -> str:
    """A list of audiences is refused, too: a token is for one tenant."""
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value
