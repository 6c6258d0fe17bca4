"""Secrets of endpoints and signatures by them (Standard Webhooks 1.0); owns how a secret is kept: sealed by the
tenant's own data key, bound to the endpoint, and in clear only where it is made and where it signs."""

from __future__ import annotations

import base64
import os
import secrets
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from standardwebhooks import Webhook

from core.crypto import SealBroken
from core.tenancy import platform_scope
from tenants.services.data_keys import data_key_of

_NONCE = 12


def new_secret() -> str:
    """`whsec_` and 32 random bytes."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def seal_secret(secret: str, *, tenant_id: str, endpoint_id: str) -> str:
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(_key(tenant_id)).encrypt(nonce, secret.encode(), _context(tenant_id, endpoint_id))
    return base64.b64encode(nonce + sealed).decode()


def open_secret(sealed: str, *, tenant_id: str, endpoint_id: str) -> str:
    """Raises SealBroken for one of another tenant or endpoint."""
    raw = base64.b64decode(sealed)
    try:
        opened = AESGCM(_key(tenant_id)).decrypt(raw[:_NONCE], raw[_NONCE:], _context(tenant_id, endpoint_id))
    except InvalidTag as error:
        raise SealBroken() from error
    return opened.decode()


def _key(tenant_id: str) -> bytes:
    with platform_scope():  # no tenant's role may read the wrapped keys
        return data_key_of(tenant_id)


def _context(tenant_id: str, endpoint_id: str) -> bytes:
    return f"workspace_webhook_endpoint|{endpoint_id}|secrets|{tenant_id}".encode()


def signed_headers(message_id: str, body: str, open_secrets: list[str], now: datetime) -> dict[str, str]:
    """What goes with the body: one signature for each secret that is valid, the newest first."""
    signatures = (Webhook(secret).sign(message_id, now, body) for secret in open_secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Lumos-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def valid_secrets(stored: list[dict[str, Any]], now: datetime) -> list[str]:
    """The sealed ones that sign now: of two, the older one until its end."""
    return [one["sealed"] for one in stored if not one["until"] or datetime.fromisoformat(one["until"]) > now]
