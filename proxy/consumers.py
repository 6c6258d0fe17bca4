"""The chat socket, `/ws/chat/`: the same pipeline as `/v1`, several requests at once over one connection.

Who may connect is decided before the connection is accepted, with an HTTP status. A program sends its key in the
Authorization header; a page of the portal offers the subprotocols `lumos.chat` and `lumos.token.<browser token>`,
because a browser can set no header and an address is logged. The frames are described in proxy/frames.py.

Close codes: 1008 the key was revoked, the tenant suspended or its networks changed, 1009 a message is too large, 1012
the server drains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from core.errors import LumosError
from proxy import asgi, frames, pipeline
from proxy.envelope import error_body, error_headers, error_status
from proxy.errors import ClientGone, OriginRefused, RequestRefused, TooManyStreams
from proxy.exchange import Exchange, Headers
from proxy.gateway import Gateway
from proxy.pipeline import limit
from proxy.pipeline.route import CHAT
from proxy.records import KeyRecord

SUBPROTOCOL = "lumos.chat"
_TOKEN_PREFIX = "lumos.token."  # noqa: S105 - the name of a subprotocol, not a credential
_POLICY, _TOO_BIG = 1008, 1009
_JSON: Headers = [(b"content-type", b"application/json")]


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One connection. It joins no group, so it needs no channel layer, and it asks no database."""

    channel_layer_alias = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key: KeyRecord | None = None
        self.ip = ""
        self._open: dict[str, Exchange] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without Channels' closing of old database connections, which costs a thread for each message."""
        await getattr(self, get_handler_name(message))(message)

    # Opening and closing

    async def connect(self) -> None:
        self._gateway: Gateway = await asgi.startup()
        self.ip = limit.client_address(
            (self.scope.get("client") or ("",))[0], self.scope["headers"], self._gateway.settings.trusted_proxies
        )
        self._headers, subprotocol = _credentials(self.scope)
        handshake = Exchange(SilentPort(), endpoint="socket", ip=self.ip, headers=self._headers)
        try:
            _check_origin(self.scope["headers"])
            for stage in pipeline.ENTRANCE:
                await stage(handshake, self._gateway)
        except LumosError as error:
            await self._deny(error)
            raise StopConsumer from error
        self.key = handshake.key
        self._gateway.watch.sockets.add(self)
        await self.accept(subprotocol)

    async def disconnect(self, code: int) -> None:
        if self.key is not None:
            self._gateway.watch.sockets.discard(self)
        for exchange in list(self._open.values()):
            exchange.client_left()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self, code: int) -> None:
        """Called from outside: closes the connection when what is open was told."""
        self._start(self._end(code))

    async def _end(self, code: int) -> None:
        others = self._tasks - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=2)
        await self.close(code)

    async def _deny(self, error: LumosError) -> None:
        headers = [(b"content-type", b"application/json"), *error_headers(error)]
        start = {"type": "websocket.http.response.start", "status": error_status(error), "headers": headers}
        await self.base_send(start)
        await self.base_send({"type": "websocket.http.response.body", "body": error_body(error)})

    # Messages

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        text = text_data or ""
        if len(text) > self._gateway.settings.socket_message_limit:
            await self.close(_TOO_BIG)
            return
        said: frames.Said | None = None
        try:
            said = frames.read(text)
            self._obey(said)
        except RequestRefused as error:
            await self.refuse(said.id if said is not None else "", error)

    def _obey(self, said: frames.Said) -> None:
        if said.type == "stop":
            if said.id in self._open:
                self._open[said.id].client_left()
            return
        if said.id in self._open:
            raise RequestRefused(f"A request with the id {said.id!r} is still open", param="id")
        if len(self._open) >= self._gateway.settings.socket_streams:
            raise TooManyStreams(f"A connection carries {self._gateway.settings.socket_streams} requests at once")
        port = SocketPort(self, said.id, bytes(said.request))
        headers = self._headers + _JSON
        self._open[said.id] = Exchange(port, endpoint=CHAT, ip=self.ip, headers=headers)
        self._start(self._serve(said.id, self._open[said.id]))

    async def _serve(self, identifier: str, exchange: Exchange) -> None:
        try:
            await pipeline.run(exchange, self._gateway)
        finally:
            del self._open[identifier]
        if self.key is not None and self in self._gateway.watch.sockets:
            if isinstance(exchange.error, ClientGone):
                await self.send(frames.word(identifier, "stopped"))
            await self.send(frames.word(identifier, "done"))

    async def refuse(self, identifier: str, error: LumosError) -> None:
        """An error about a message that never became an exchange."""
        await self.send(frames.refusing(identifier, error_status(error), error_body(error)))
        await self.send(frames.word(identifier, "done"))

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class SilentPort:
    """The client's side of a handshake, of which nothing is answered."""

    async def body(self, limit: int) -> bytes:
        return b""

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None: ...

    async def write(self, data: bytes) -> None: ...

    def write_now(self, data: bytes) -> bool:
        return False

    async def finish(self, data: bytes) -> None: ...

    async def fail(self, status: int, envelope: bytes) -> None: ...

    def watch(self, gone: Callable[[], None]) -> None: ...


class SocketPort(SilentPort):
    """The client's side of one request on a socket: turns what HTTP would carry into frames."""

    def __init__(self, consumer: ChatConsumer, identifier: str, request: bytes) -> None:
        self._consumer = consumer
        self._id = identifier
        self._request = request
        self._status = 0
        self._streams = False

    async def body(self, limit: int) -> bytes:
        return self._request

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        self._status = status
        self._streams = any(
            value.startswith(b"text/event-stream") for name, value in headers if name == b"content-type"
        )
        await self.finish(data) if last else await self.write(data)

    async def write(self, data: bytes) -> None:
        for payload in frames.payloads(data):
            await self._consumer.send(frames.carrying(self._id, "chunk", payload))

    async def finish(self, data: bytes) -> None:
        if self._status != 200:
            await self._consumer.send(frames.refusing(self._id, self._status, data))
        elif not self._streams:
            await self._consumer.send(frames.carrying(self._id, "answer", data))
        else:
            await self.write(data)

    async def fail(self, status: int, envelope: bytes) -> None:
        await self._consumer.send(frames.refusing(self._id, status, envelope))


def _credentials(scope: dict[str, Any]) -> tuple[Headers, str | None]:
    """The request's own headers, with a browser's token among them; and the subprotocol to accept."""
    offered: list[str] = scope.get("subprotocols") or []
    headers: Headers = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    for name in offered:
        if name.startswith(_TOKEN_PREFIX):
            headers.append((b"authorization", b"Bearer " + name.removeprefix(_TOKEN_PREFIX).encode()))
    return headers, SUBPROTOCOL if SUBPROTOCOL in offered else None


def _check_origin(headers: Headers) -> None:
    """A browser says which site its page is from: only pages of this very host may connect."""
    named = dict(headers)
    origin = named.get(b"origin")
    if origin is not None and urlsplit(origin).netloc.lower() != named.get(b"host", b"").lower():
        raise OriginRefused()
