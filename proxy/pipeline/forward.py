"""The upstream call: sends the order and waits for what the provider has to say first; owns no byte of the answer.

The client has seen nothing yet, so every failure here still becomes a real HTTP status.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from proxy import body
from proxy.errors import ProviderMalformed
from proxy.pipeline.route import CHAT
from proxy.providers.base import Order
from proxy.providers.failures import event_failure, failure_of

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.gateway import Gateway
    from proxy.streaming.sse import SseScanner
    from proxy.upstream.inbox import Inbox


async def call(exchange: Exchange, gateway: Gateway) -> None:
    """Sets inbox, and content: the whole JSON answer, or the first events of a stream. Raises ProviderFailure."""
    route = exchange.route
    assert route is not None
    assert exchange.raw is not None
    exchange.body_out = body.changed(exchange.raw, exchange.request, _changes(exchange))
    order = Order(
        exchange.id, exchange.endpoint, route.model.upstream_name, exchange.stream, exchange.body_out, exchange.request
    )
    exchange.called_at = asyncio.get_running_loop().time()
    inbox = exchange.inbox = await route.provider.call(order)
    if exchange.scanner is None:
        exchange.content = await _whole(inbox)
    else:
        exchange.content = await _first_events(inbox, exchange.scanner)
        exchange.first_token_ns = time.monotonic_ns()


def _changes(exchange: Exchange) -> dict[str, Any]:
    """What must differ from the client's own body: the provider's model name, its output limit, the wish for usage."""
    request, route = exchange.request, exchange.route
    assert route is not None
    changes: dict[str, Any] = {}
    if route.model.upstream_name != request["model"]:
        changes["model"] = route.model.upstream_name
    if exchange.endpoint != CHAT:
        return changes
    for name in ("max_tokens", "max_completion_tokens"):
        if (request.get(name) or 0) > route.model.max_output:
            changes[name] = route.model.max_output
    if exchange.stream and route.provider.reports_stream_usage and not body.wants_usage(request):
        changes["stream_options"] = {**(request.get("stream_options") or {}), "include_usage": True}
    return changes


async def _whole(inbox: Inbox) -> bytes:
    content = await inbox.whole()
    if inbox.status != 200:
        raise failure_of(inbox, content)
    return content


async def _first_events(inbox: Inbox, scanner: SseScanner) -> bytes:
    """The first events that the client gets; the 200 waits for them."""
    await inbox.opened()
    if inbox.status != 200:
        raise failure_of(inbox, await inbox.whole())
    kind = inbox.header(b"content-type") or b""
    if not kind.lower().startswith(b"text/event-stream"):
        raise ProviderMalformed()
    content = b""
    while not content and not scanner.done:
        data = await inbox.read()
        if not data:
            raise ProviderMalformed()
        content = scanner.feed(data)
        if scanner.error is not None:
            raise event_failure(scanner.error)
    return content
