"""Billing's errors.

InvalidInput
├── InvalidPrice      400  price terms that cannot be used; the field is named
└── InvalidQuantity   400  a quantity that cannot be rated
PermissionRefused
└── UnknownPrice      403  the plan has no price for this usage, so it is not for sale
NotFound
├── UnknownPlan       404
└── NoSubscription    404  the tenant has no plan at that time
Unavailable
└── IngestInterrupted 503  somebody else wrote usage in between; the next run takes it up again
"""

from __future__ import annotations

from core.errors import InvalidInput, NotFound, PermissionRefused, Unavailable


class InvalidPrice(InvalidInput):
    code = "invalid_price"
    title = "The price cannot be used"


class InvalidQuantity(InvalidInput):
    code = "invalid_quantity"
    title = "The quantity cannot be rated"


class UnknownPrice(PermissionRefused):
    """Raised rather than letting usage through for nothing."""

    code = "unknown_price"
    title = "This model has no price on the plan"


class UnknownPlan(NotFound):
    code = "unknown_plan"
    title = "There is no published plan of that code"


class NoSubscription(NotFound):
    code = "no_subscription"
    title = "The tenant has no plan"


class IngestInterrupted(Unavailable):
    code = "ingest_interrupted"
    title = "Usage was written by somebody else at the same time"
