"""What can go wrong on the way to an address that somebody entered.

LumosError
├── InvalidInput
│   └── UrlRefused        400  this address may not be called; `fields` names where it was entered
└── Unavailable
    └── OutboundFailed    503  it may be called, but did not answer properly
        ├── OutboundTimeout
        └── AnswerTooLarge
"""

from __future__ import annotations

from core.errors import InvalidInput, Unavailable


class UrlRefused(InvalidInput):
    """What an internal name leads to is nobody's business: no message says it."""

    code = "address_refused"
    title = "This address may not be called"


class OutboundFailed(Unavailable):
    code = "outbound_failed"
    title = "The other side did not answer"


class OutboundTimeout(OutboundFailed):
    code = "outbound_timeout"
    title = "The other side did not answer in time"


class AnswerTooLarge(OutboundFailed):
    code = "outbound_too_large"
    title = "The other side sent more than is taken"
