"""Visits of operators in tenants' portals, as they cross the tenants app's border."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ImpersonationEnd(StrEnum):
    """Why an impersonation is over."""

    ENDED = "ENDED"
    EXPIRED = "EXPIRED"
    SIGNED_OUT = "SIGNED_OUT"
    ROLE_LOST = "ROLE_LOST"
    MEMBER_GONE = "MEMBER_GONE"
    TENANT = "TENANT"


@dataclass(frozen=True, slots=True)
class ImpersonationFacts:
    """One visit as the tenant's own people see it. `acts_as` is a member's address, empty for the workspace as such."""

    operator: str
    acts_as: str
    reason: str
    raise_reason: str
    started_at: datetime
    ends_at: datetime
    is_open: bool
