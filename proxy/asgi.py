"""The gateway as a raw ASGI application: `/v1/*` in front of Django; owns how bytes come and go, decides nothing.

Mount it with `application`, call `startup()` and `shutdown()` from the lifespan of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from core.errors import LumosError
from core.redis import redis_url
from proxy.conf import gateway_settings
from proxy.endpoints import ENDPOINTS, Endpoint, no_such_route
from proxy.envelope import error_event
from proxy.errors import BodyTooLarge, ClientGone
from proxy.exchange import Exchange, Headers
from proxy.gateway import Gateway
from proxy.pipeline import limit, refuse

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_gateway: Gateway | None = None
_starting: asyncio.Lock | None = None


def running_gateway() -> Gateway | None:
    """The gateway of this process, None before `startup`."""
    return _gateway


async def startup() -> Gateway:
    """Starts the gateway of this process, once; raises Unavailable when Redis stays away."""
    global _gateway, _starting  # noqa: PLW0603 - one gateway belongs to one process, as its event loop does
    _starting = _starting or asyncio.Lock()
    async with _starting:
        if _gateway is None:
            gateway = Gateway(gateway_settings(), redis_url())
            await gateway.start()
            _gateway = gateway
        return _gateway


async def drain() -> None:
    """Takes no more requests and waits for open ones; call it before the server closes its connections."""
    if _gateway is not None:
        await _gateway.drain()


async def shutdown() -> None:
    """Drains and ends the gateway of this process."""
    global _gateway, _starting
    gateway, _gateway, _starting = _gateway, None, None
    if gateway is not None:
        if not gateway.draining:
            await gateway.drain()
        await gateway.stop()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves one HTTP request of `/v1/*`."""
    gateway = _gateway or await startup()
    port = AsgiPort(receive, send)
    headers: Headers = scope["headers"]
    peer = scope["client"][0] if scope.get("client") else ""
    address = limit.client_address(peer, headers, gateway.settings.trusted_proxies)
    endpoint = _endpoint(scope["path"], scope["method"])
    exchange = Exchange(port, endpoint=endpoint.name, ip=address, headers=headers)
    try:
        await endpoint.serve(exchange, gateway, scope["path"])
    except LumosError as error:
        await refuse(exchange, error)


def _endpoint(path: str, method: str) -> Endpoint:
    for prefix, endpoints in ENDPOINTS:
        if path == prefix or (prefix.endswith("/") and path.startswith(prefix) and len(path) > len(prefix)):
            return endpoints.get(method) or endpoints["*"]
    return no_such_route


class AsgiPort:
    """The client's side of an exchange under any ASGI server."""

    __slots__ = ("_receive", "_send", "_watcher")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._watcher: asyncio.Task[None] | None = None

    async def body(self, limit: int) -> bytes:
        message = await self._receive()
        body: bytes = message.get("body", b"")
        parts = [body]
        size = len(body)
        while message["type"] == "http.request" and message.get("more_body") and size <= limit:
            message = await self._receive()
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        if message["type"] == "http.disconnect":
            raise ClientGone()
        if size > limit:
            raise BodyTooLarge(f"The request body may have at most {limit} bytes")
        return body if len(parts) == 1 else b"".join(parts)

    async def begin(self, status: int, headers: Headers, data: bytes, *, last: bool) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": not last})
        if last:
            self._stop_watching()

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def write_now(self, data: bytes) -> bool:
        """ASGI knows no writing without waiting."""
        return False

    async def finish(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": False})
        self._stop_watching()

    async def fail(self, status: int, envelope: bytes) -> None:
        await self.finish(error_event(envelope))

    def watch(self, gone: Callable[[], None]) -> None:
        self._watcher = asyncio.get_running_loop().create_task(self._wait_for_leaving(gone))

    async def _wait_for_leaving(self, gone: Callable[[], None]) -> None:
        message = await self._receive()
        while message["type"] != "http.disconnect":
            message = await self._receive()
        gone()

    def _stop_watching(self) -> None:
        """A server also reports the end of a complete answer as a disconnect; that one is not for us."""
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None
