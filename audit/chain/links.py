"""What is hashed and what is signed; pure, so that a chain can be checked without a database.

digest(entry)  = SHA-256 of the entry as JSON, keys sorted, no spaces, UTF-8
hash(n)        = SHA-256("lumos-audit-link-1" LF chain LF n LF hash(n - 1) LF digest), hash(0) = 64 zeros
signed message = "lumos-audit-head-1" LF chain LF n LF hash(n) LF instant
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
PLATFORM = "platform"
_TEXTS = ("id", "tenant_id", "actor_kind", "actor_id", "actor_label", "action", "target", "reason", "request_id")
_JSON = ("before", "after", "detail")


def chain_of(tenant_id: str) -> str:
    """The chain of an entry: its tenant's, or the platform's."""
    return tenant_id or PLATFORM


def content_of(entry: object) -> dict[str, Any]:
    """Everything that a stored entry says, as the mapping that is hashed and exported."""
    content: dict[str, Any] = {"v": 1}
    content |= {name: getattr(entry, name) for name in (*_TEXTS, *_JSON)}
    content["at"] = instant_text(getattr(entry, "at"))  # noqa: B009 - any object with these attributes will do
    return content


def instant_text(instant: datetime) -> str:
    """UTC with six decimals, whatever the session's time zone was."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def digest_of(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def link_hash(*, chain: str, sequence: int, previous: str, digest: str) -> str:
    return hashlib.sha256(f"lumos-audit-link-1\n{chain}\n{sequence}\n{previous}\n{digest}".encode()).hexdigest()


def head_message(*, chain: str, sequence: int, hash: str, sealed_at: datetime) -> bytes:
    return f"lumos-audit-head-1\n{chain}\n{sequence}\n{hash}\n{instant_text(sealed_at)}".encode()
