"""The ASGI application: sends each request to the room that answers it; owns the dispatch and the lifespan.

`/v1` reaches the gateway before Django exists for it, its hot routes even before ASGI (`HttpProtocol` is for uvicorn).
A gateway process has nothing behind that but health; a control process has no gateway; the web process of one machine
has both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lumos_site.settings.control")

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

django.setup()

from lumos_site.bodies import BoundedBodies  # noqa: E402 - what follows needs the apps
from lumos_site.exposition import answer_metrics  # noqa: E402
from lumos_site.health import answer_health, is_sealed_here  # noqa: E402
from lumos_site.siblings import Teller, shared_directory  # noqa: E402
from lumos_site.statics import StaticFiles  # noqa: E402
from lumos_site.wire import App, Receive, Scope, Send, not_found, refuse_socket  # noqa: E402
from proxy import asgi as gateway  # noqa: E402
from proxy.consumers import ChatConsumer  # noqa: E402
from proxy.protocol import BoundedHeads, GatewayProtocol  # noqa: E402

ROLE = os.environ.get("LUMOS_ROLE", "web")
SERVES_GATEWAY = ROLE in ("web", "gateway")
HttpProtocol: type[HttpToolsProtocol] = GatewayProtocol if SERVES_GATEWAY else BoundedHeads
chat: App = ChatConsumer.as_asgi()
behind: App = not_found
if ROLE != "gateway":
    django_application = BoundedBodies(cast("App", get_asgi_application()), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    behind = StaticFiles(django_application)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    kind: str = scope["type"]
    if kind == "http":
        await _dispatch(scope, receive, send)
    elif kind == "websocket":
        await _open_socket(scope, receive, send)
    elif kind == "lifespan":
        await _live(receive, send)


async def _dispatch(scope: Scope, receive: Receive, send: Send) -> None:
    path: str = scope["path"]
    if SERVES_GATEWAY and path.startswith("/v1/"):
        await gateway.application(scope, receive, send)
    elif path in ("/livez", "/readyz"):
        await answer_health(path, ROLE, send)
    elif path == "/metrics":
        await answer_metrics(scope, send)
    else:
        await behind(scope, receive, send)


async def _open_socket(scope: Scope, receive: Receive, send: Send) -> None:
    if SERVES_GATEWAY and scope["path"] == "/ws/chat/":
        await chat(scope, receive, send)
    else:
        await refuse_socket(receive, send)


async def _live(receive: Receive, send: Send) -> None:
    """Connect with the server's start, disconnect with its end; learn meanwhile which master keys are right."""
    await receive()
    learning = asyncio.create_task(sync_to_async(is_sealed_here, thread_sensitive=False)(ROLE))
    async with _running_gateway() if SERVES_GATEWAY else nullcontext():
        await send({"type": "lifespan.startup.complete"})
        await receive()
    learning.cancel()
    await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def _running_gateway() -> AsyncIterator[None]:
    """Its figures are told to the other processes to the last."""
    tally, directory = (await gateway.startup()).tally, shared_directory()
    teller = Teller(directory, tally) if directory else None
    telling = asyncio.create_task(teller.tell_every_second()) if teller else None
    try:
        yield
    finally:
        await gateway.shutdown()
        if teller and telling:
            telling.cancel()
            teller.tell()


async def drain() -> None:
    """Take no more of what lasts, and wait for what is open; the server calls it before it closes connections."""
    if SERVES_GATEWAY:
        await gateway.drain()
