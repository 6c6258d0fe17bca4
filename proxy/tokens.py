"""Browser tokens: minutes-long credentials that a signed-in member's page uses instead of a key; nothing is stored.

`lum_tok_` + base64url of {"t": tenant, "u": user, "exp": epoch s} + "." + base64url of its HMAC-SHA256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

import orjson

from core.crypto import current_version, pepper
from core.ids import is_ulid
from proxy.errors import CredentialRefused
from proxy.records import KeyRecord

PREFIX = "lum_tok_"
PURPOSE = "browser_token"
BROWSER_TOKEN_SECONDS = 300
_LENGTH_LIMIT = 400


def mint_browser_token(tenant_id: str, user_id: int | str, now: datetime) -> str:
    """A token with which that user's page may chat in that tenant's name until `now` + 5 minutes."""
    claims = {"t": tenant_id, "u": str(user_id), "exp": int(now.timestamp()) + BROWSER_TOKEN_SECONDS}
    body = _encode(orjson.dumps(claims))
    return f"{PREFIX}{body}.{_encode(_signature(body))}"


def read_browser_token(token: str, now_ms: int) -> KeyRecord:
    """What the token stands for; raises CredentialRefused for anything that was not minted here or is over."""
    body, _, signature = token.removeprefix(PREFIX).partition(".")
    if len(token) > _LENGTH_LIMIT or not hmac.compare_digest(_encode(_signature(body)).encode(), signature.encode()):
        raise CredentialRefused()
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        tenant_id, user, ends = str(claims["t"]), str(claims["u"]), int(claims["exp"]) * 1000
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise CredentialRefused() from error
    if ends <= now_ms or not is_ulid(tenant_id):
        raise CredentialRefused()
    return KeyRecord(f"browser_{user}"[:40], tenant_id, "", True, ("inference",), (), ends)


def _signature(body: str) -> bytes:
    return hmac.digest(pepper(PURPOSE, current_version(PURPOSE)), body.encode(), hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
