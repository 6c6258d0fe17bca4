"""What crosses the accounts app's border: where somebody signs in, and what a page shows of factors and sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from audit.api import Actor

OPERATORS = "operators"


class FactorKind(StrEnum):
    """What proves who somebody is beside the password; the values are those of the library's rows."""

    APP = "totp"
    PASSKEY = "webauthn"
    RECOVERY = "recovery_codes"


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs in: a tenant's portal, or with an empty `tenant_id` the operators' site.

    `host` is the name that the browser shows, without a port; passkeys are bound to it. `origin` is what the browser
    calls the page's site: scheme, host and port.
    """

    tenant_id: str
    host: str
    origin: str = ""

    @property
    def realm(self) -> str:
        """What attempts are counted under, and what a sign-in that waits for its second step is bound to."""
        return self.tenant_id or OPERATORS


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who looks after their own account, as a service needs to know: which account, where, and as whom."""

    account_id: int
    place: Place
    actor: Actor


@dataclass(frozen=True, slots=True)
class FactorFacts:
    """A factor as a list shows it; `left` is how many recovery codes are unused."""

    id: str
    kind: FactorKind
    name: str
    added_at: datetime
    used_at: datetime | None
    left: int = 0


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A browser that is signed in. `place` is the host on which it did."""

    id: str
    place: str
    address: str
    browser: str
    since: datetime
    current: bool
