"""The types of ASGI and the answers that need no framework; owns no route."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def send_json(send: Send, status: int, content: Mapping[str, object]) -> None:
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """What is behind the gateway in a process that is a gateway only."""
    await send_json(send, 404, {"status": "not found", "detail": "This process serves /v1 only."})


async def refuse_socket(receive: Receive, send: Send) -> None:
    """Answer a handshake on a path that has no websocket; servers make a 403 of it."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})
