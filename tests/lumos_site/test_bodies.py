"""What Django gets of a body: no more than it may hold, and not for ever."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from lumos_site.asgi import application
from lumos_site.bodies import BoundedBodies
from lumos_site.wire import Receive, Scope, Send, send_json

LIMIT = 100


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """As Django does: the whole body first, then the end of the connection."""
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send_json(send, 200, {"size": size, "then": (await receive())["type"]})


async def asked(*parts: bytes, length: int | None = None, stalls: bool = False) -> tuple[int, Any]:
    """Status and JSON of the answer to a body that arrives in these parts."""
    messages: list[Any] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = stalls
    sent: list[Any] = []

    async def receive() -> Any:
        if messages:
            return messages.pop(0)
        if stalls:
            await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    await BoundedBodies(reads_all, LIMIT, seconds=0.05)({"headers": headers}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def test_a_body_within_the_limit_passes_and_the_connections_end_is_still_heard() -> None:
    assert await asked(b"x" * 40, b"y" * 60, length=100) == (200, {"size": 100, "then": "http.disconnect"})
    assert await asked(b"") == (200, {"size": 0, "then": "http.disconnect"})


async def test_a_body_that_is_announced_too_large_is_refused_unread() -> None:
    status, content = await asked(b"", length=101)
    assert status == 413
    assert "100 bytes" in content["detail"]


async def test_a_body_that_grows_too_large_is_refused_without_an_announcement() -> None:
    assert (await asked(b"x" * 60, b"y" * 60, b"z"))[0] == 413


async def test_a_body_that_does_not_come_to_its_end_is_given_up() -> None:
    assert (await asked(b"x", stalls=True))[0] == 408


async def test_the_product_refuses_an_endless_form_before_django_writes_it_to_disk() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * 1_000_000, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": "/admin/login/", "method": "POST", "headers": [(b"host", b"localhost")]}
    await application(scope, receive, send)
    assert sent[0]["status"] == 413
