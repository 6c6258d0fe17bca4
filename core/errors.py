"""The one tree of errors; owns code, status and next step, and refuses to know how a surface renders them.

LumosError
├── InvalidInput       400  the caller sent something that cannot be accepted; `fields` names it
├── NotAuthenticated   401  nobody is known
├── PermissionRefused  403  somebody is known, and may not
├── NotFound           404
├── Conflict           409  true for someone else already
│   └── StaleState     409  the row was changed by another writer in between
├── TooManyRequests    429  a limit; `headers` tell when to return
└── Unavailable        503  something that we depend on is away
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class LumosError(Exception):
    """Root of every anticipated error.

    `fields` maps a field's path to its messages. `next_step` is one sentence on what the reader can do.
    `headers` are sent with the answer as they are. The message never holds a secret.
    """

    code: str = "internal_error"
    status: int = 500
    title: str = "Something went wrong"

    def __init__(
        self,
        message: str = "",
        *,
        fields: Mapping[str, Sequence[str]] | None = None,
        next_step: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.title
        self.fields = dict(fields or {})
        self.next_step = next_step
        self.headers = dict(headers or {})
        super().__init__(self.message)


class InvalidInput(LumosError):
    code = "invalid_input"
    status = 400
    title = "The input is not valid"


class NotAuthenticated(LumosError):
    code = "not_authenticated"
    status = 401
    title = "Sign in or send a valid key"


class PermissionRefused(LumosError):
    code = "permission_refused"
    status = 403
    title = "You may not do this"


class NotFound(LumosError):
    code = "not_found"
    status = 404
    title = "There is no such thing here"


class Conflict(LumosError):
    code = "conflict"
    status = 409
    title = "This conflicts with what is already there"


class StaleState(Conflict):
    code = "stale_state"
    title = "Somebody else changed this in the meantime"


class TooManyRequests(LumosError):
    code = "too_many_requests"
    status = 429
    title = "A limit is reached"


class Unavailable(LumosError):
    code = "unavailable"
    status = 503
    title = "A part that this needs is away"
