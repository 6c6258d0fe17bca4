"""One request on its way through the pipeline; owns its state and how it is cut short, knows no transport."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from core.ids import new_ulid
from proxy.errors import ClientGone, GatewayError

if TYPE_CHECKING:
    from proxy.catalogue import Route
    from proxy.records import KeyRecord, TenantRecord
    from proxy.streaming.sse import SseScanner
    from proxy.streaming.usage import TokenUsage
    from proxy.upstream.inbox import Inbox
    from quotas.api import Admission

Headers = list[tuple[bytes, bytes]]


class Port(Protocol):
    """The client's side of an exchange."""

    async def body(self, limit: int) -> bytes:
        """The request body; raises BodyTooLarge, ClientGone."""
        ...

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        """Status, headers and the first bytes of the answer."""
        ...

    async def write(self, data: bytes) -> None:
        """More of the answer; waits while the client does not read."""
        ...

    def write_now(self, data: bytes) -> bool:
        """The same where it takes no waiting; False: nothing was sent, so it has to be `write`."""
        ...

    async def finish(self, data: bytes) -> None:
        """The last bytes of the answer."""
        ...

    async def fail(self, status: int, envelope: bytes) -> None:
        """The end of an answer that broke after it had begun: the error as JSON, and the status that it comes
        too late for."""
        ...

    def watch(self, gone: Callable[[], None]) -> None:
        """From now on `gone` is called when the client leaves before the answer is complete."""
        ...


class Exchange:
    """`occurred_at_ms` is wall time, `started_ns` monotonic; other `_at` times are the event loop's."""

    __slots__ = (
        "_now",
        "admission",
        "body_out",
        "called_at",
        "cause",
        "content",
        "endpoint",
        "error",
        "finished",
        "first_token_ns",
        "headers",
        "id",
        "inbox",
        "input_estimate",
        "ip",
        "key",
        "occurred_at_ms",
        "output_limit",
        "port",
        "raw",
        "request",
        "route",
        "scanner",
        "started_ns",
        "status",
        "stream",
        "task",
        "tenant",
        "usage",
        "watched",
        "writing_since",
    )

    def __init__(self, port: Port, *, endpoint: str, ip: str, headers: Headers) -> None:
        self._now = asyncio.get_running_loop().time
        self.port = port
        self.endpoint = endpoint
        self.ip = ip
        self.headers = headers
        self.id = "req_" + new_ulid()
        self.started_ns = time.monotonic_ns()
        self.occurred_at_ms = time.time_ns() // 1_000_000
        self.task: asyncio.Task[Any] | None = None
        self.key: KeyRecord | None = None
        self.tenant: TenantRecord | None = None
        self.raw: bytes | None = None
        self.request: dict[str, Any] = {}
        self.stream = False
        self.route: Route | None = None
        self.input_estimate = 0
        self.output_limit = 0
        self.admission: Admission | None = None
        self.body_out = b""
        self.inbox: Inbox | None = None
        self.called_at = 0.0
        self.scanner: SseScanner | None = None
        self.content = b""
        self.usage: TokenUsage | None = None
        self.status = 0
        self.first_token_ns = 0
        self.error: Exception | None = None
        self.cause: GatewayError | None = None
        self.watched = False
        self.writing_since = 0.0
        self.finished = False

    @property
    def begun(self) -> bool:
        """Whether the client has been sent a status."""
        return self.status != 0

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        self.writing_since = self._now()
        self.status = status
        await self.port.begin(status, headers, data, last=last)
        self.finished = last
        self.writing_since = 0.0

    async def write(self, data: bytes) -> None:
        self.writing_since = self._now()
        await self.port.write(data)
        self.writing_since = 0.0

    async def finish(self, data: bytes) -> None:
        self.writing_since = self._now()
        await self.port.finish(data)
        self.finished = True
        self.writing_since = 0.0

    async def fail(self, status: int, envelope: bytes) -> None:
        self.writing_since = self._now()
        await self.port.fail(status, envelope)
        self.finished = True
        self.writing_since = 0.0

    def cut(self, cause: GatewayError) -> None:
        """Ends the exchange from outside; whoever waits for the provider, the client or Redis goes on with `cause`."""
        if self.cause is not None or self.finished:
            return
        self.cause = cause
        if self.inbox is not None and not self.writing_since:
            self.inbox.fail(cause)
        elif self.task is not None:
            self.task.cancel()

    def client_left(self) -> None:
        """Called by the port."""
        self.cut(ClientGone())

    def elapsed_ms(self) -> int:
        return (time.monotonic_ns() - self.started_ns) // 1_000_000
