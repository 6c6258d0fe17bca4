"""Errors of the webhooks.

LumosError
├── NotFound
│   ├── EndpointNotFound
│   └── DeliveryNotFound
├── InvalidInput
│   └── EventsNotKnown
└── Conflict
    ├── TooManyEndpoints
    └── EndpointDisabled
"""

from __future__ import annotations

from core.errors import Conflict, InvalidInput, NotFound


class EndpointNotFound(NotFound):
    code = "endpoint_not_found"
    title = "There is no such endpoint"


class DeliveryNotFound(NotFound):
    code = "delivery_not_found"
    title = "There is no such delivery"


class EventsNotKnown(InvalidInput):
    code = "events_not_known"
    title = "There are no such events"


class TooManyEndpoints(Conflict):
    code = "too_many_endpoints"
    title = "This tenant has as many endpoints as one may have"


class EndpointDisabled(Conflict):
    code = "endpoint_disabled"
    title = "This endpoint is disabled; enable it first"
