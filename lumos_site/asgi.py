"""The ASGI application: sends each request to the room that answers it; owns the dispatch and the lifespan.

`/v1` reaches the gateway before Django exists for it. A gateway process has nothing behind that but health.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.control")

from django.core.asgi import get_asgi_application

from lumos_site.health import answer_health

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ROLE = os.environ.get("LUMOS_ROLE", "web")
django: App = get_asgi_application()
gateway: Any = import_module("proxy.asgi") if find_spec("proxy.asgi") and ROLE != "control" else None


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        await _dispatch(scope, receive, send)


async def _dispatch(scope: Scope, receive: Receive, send: Send) -> None:
    path: str = scope["path"]
    if gateway is not None and path.startswith("/v1/"):
        await gateway.application(scope, receive, send)
    elif path in ("/livez", "/readyz"):
        await answer_health(path, ROLE, send)
    else:
        await django(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """Start and stop the gateway's connections with the server."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
