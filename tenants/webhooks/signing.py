"""Signatures of messages (Standard Webhooks 1.0) by secrets that somebody has opened."""

from __future__ import annotations

from datetime import datetime

from standardwebhooks import Webhook


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
