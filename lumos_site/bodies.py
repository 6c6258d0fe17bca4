"""A bound on the bodies that Django gets: their size, and the time in which they must have arrived.

Django writes a body to a temporary file, whole, before any of its code sees the request. Without a bound anybody
could fill the disk through a sign-in form, or keep a request open for ever. The gateway bounds its own bodies.
"""

from __future__ import annotations

import asyncio

from lumos_site.wire import App, Message, Receive, Scope, Send, send_json

BODY_SECONDS = 30


class _Refused(Exception):
    """Leaves the application while it reads; `status` and a sentence for the caller."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


class BoundedBodies:
    """ASGI: answers 413 or 408 in place of `behind` when a body is larger than `limit` bytes or too slow."""

    def __init__(self, behind: App, limit: int, seconds: float = BODY_SECONDS) -> None:
        self._behind = behind
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._check_length(scope)
            await self._behind(scope, _Meter(receive, self._limit, self._seconds).receive, send)
        except _Refused as refused:
            await send_json(send, refused.status, {"status": "refused", "detail": refused.detail})

    def _check_length(self, scope: Scope) -> None:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value) > self._limit:
                raise _too_large(self._limit)


class _Meter:
    """Counts what arrives of one body, and the time it takes."""

    def __init__(self, receive: Receive, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._until = asyncio.get_running_loop().time() + seconds
        self._size = 0
        self._is_whole = False

    async def receive(self) -> Message:
        if self._is_whole:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise _Refused(408, "The request body did not arrive in time.") from error
        self._size += len(message.get("body", b""))
        if self._size > self._limit:
            raise _too_large(self._limit)
        self._is_whole = not message.get("more_body", False)
        return message


def _too_large(limit: int) -> _Refused:
    return _Refused(413, f"The request body may have at most {limit} bytes.")
