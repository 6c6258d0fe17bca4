"""Errors of the quotas app.

LumosError
├── InvalidInput
│   ├── LimitNotUsable
│   └── AmountNotUsable
├── TooManyRequests
│   └── QuotaExceeded
│       ├── RateLimitExceeded    a rate or a level: come back soon
│       └── InsufficientQuota    a period: come back when it ends, or raise the limit
├── Conflict
│   └── ReservationClosed
└── Unavailable
    └── QuotasRecovering
"""

from __future__ import annotations

from core.errors import Conflict, InvalidInput, TooManyRequests, Unavailable
from quotas.data import Denial, Dimension, Kind, LimitScope


class LimitNotUsable(InvalidInput):
    code = "limit_not_usable"
    title = "A limit is a whole number from 0 to 10^15, or nothing for unlimited"


class AmountNotUsable(InvalidInput):
    code = "amount_not_usable"
    title = "An amount is a whole number from 0 to 10^15"


class QuotaExceeded(TooManyRequests):
    """One limit said no; which, what is left of it and when it resets (None: waiting does not help)."""

    code = "rate_limit_exceeded"
    dimension: Dimension
    scope: LimitScope
    limit: int
    remaining: int
    reset_seconds: int | None

    def __init__(self, denial: Denial) -> None:
        self.dimension, self.scope = denial.dimension, denial.scope
        self.limit, self.remaining = denial.limit, denial.remaining
        self.reset_seconds = denial.reset_seconds
        wait = denial.reset_seconds
        super().__init__(
            f"Limit of {denial.dimension.value} ({denial.scope.value}) reached: limit {denial.limit},"
            f" {denial.remaining} left, " + ("waiting does not help" if wait is None else f"resets in {wait} s"),
            next_step="Ask for less, or raise the limit" if wait is None else f"Try again in {wait} s",
            headers={} if wait is None else {"retry-after": str(wait)},
        )

    @staticmethod
    def of(denial: Denial) -> QuotaExceeded:
        """The error of a denial, with OpenAI's two codes."""
        kind = InsufficientQuota if denial.dimension.kind is Kind.PERIOD else RateLimitExceeded
        return kind(denial)


class RateLimitExceeded(QuotaExceeded):
    code = "rate_limit_exceeded"
    title = "A rate limit is reached"


class InsufficientQuota(QuotaExceeded):
    code = "insufficient_quota"
    title = "The quota of this period is used up"


class ReservationClosed(Conflict):
    code = "reservation_closed"
    title = "This request id was settled or released before"


class QuotasRecovering(Unavailable):
    code = "quotas_recovering"
    title = "Counters are being rebuilt after a loss"

    def __init__(self) -> None:
        super().__init__(next_step="Try again in a few seconds", headers={"retry-after": "2"})
