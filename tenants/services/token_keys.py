"""Changing the key that signs access tokens; the keys themselves are in the secrets file."""

from __future__ import annotations

from datetime import datetime

from audit.api import Actor, record
from tenants.sessions.keys import SigningKey, add_key


def rotate_token_key(*, at_once: bool, acting: Actor, now: datetime) -> SigningKey:
    """One more key, which signs in ten minutes while the one before still counts, or instead of all others `at_once`.

    The file is written first, and no transaction takes that back: without an entry there may be a key more, never less.
    """
    key = add_key(now, at_once=at_once)
    detail = {"kid": key.kid, "at_once": at_once}
    record("token_keys.rotate", actor=acting, tenant_id=None, target=key.kid, detail=detail)
    return key
