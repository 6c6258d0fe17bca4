"""Members' API sessions, as they cross the tenants app's border."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SessionEnd(StrEnum):
    """Why an API session is over."""

    ENDED = "ENDED"
    REUSED = "REUSED"
    CROWDED = "CROWDED"
    ACCOUNT = "ACCOUNT"
    TENANT = "TENANT"


@dataclass(frozen=True, slots=True)
class ApiSessionFacts:
    """An API session that is open, as its owner's list shows it."""

    id: str
    name: str
    opened_from: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """Bare ids of what an access token names."""

    tenant_id: str
    membership_id: str
    session_id: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a program is given: the access token's life in seconds, the refresh token until it is used once."""

    session_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
