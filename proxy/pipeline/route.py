"""What is asked for and who serves it: reads the body, finds model and provider; owns no amount."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from proxy import body
from proxy.data import ModelKind
from proxy.errors import BodyTooLarge, ModelNotAllowed, ModelNotFound, NotJson, NotReady, RequestRefused
from proxy.streaming.sse import SseScanner

if TYPE_CHECKING:
    from proxy.catalogue import Route
    from proxy.exchange import Exchange, Headers
    from proxy.gateway import Gateway

CHAT, EMBEDDINGS = "chat.completions", "embeddings"
_KINDS = {CHAT: ModelKind.CHAT, EMBEDDINGS: ModelKind.EMBEDDINGS}
_CHECKS: dict[str, Callable[[dict[str, Any]], None]] = {CHAT: body.check_chat, EMBEDDINGS: body.check_embeddings}


async def choose(exchange: Exchange, gateway: Gateway) -> None:
    """Sets raw, request, route and scanner. Raises RequestRefused and its kin, ModelNotAllowed, NotReady."""
    limit = gateway.settings.body_limit
    _check_headers(exchange.headers, limit)
    exchange.raw = await exchange.port.body(limit)
    request = exchange.request = body.decode(exchange.raw)
    _CHECKS[exchange.endpoint](request)
    exchange.route = find_route(exchange, gateway, request["model"])
    if exchange.endpoint == CHAT and request.get("stream"):
        exchange.stream = True
        exchange.scanner = SseScanner(keep_usage=body.wants_usage(request))


def find_route(exchange: Exchange, gateway: Gateway, name: str) -> Route:
    """The route to a model that this tenant and this key may use, for this endpoint."""
    route = gateway.catalogue.routes.get(name)
    assert exchange.key is not None
    assert exchange.tenant is not None
    if route is None:
        if not gateway.catalogue.loaded:
            raise NotReady(retry_after_ms=2000)
        raise ModelNotFound(f"There is no model called {name!r} here", param="model")
    if not exchange.tenant.may_use(name):
        raise ModelNotAllowed(f"This workspace may not use the model {name!r}", param="model")
    if not exchange.key.may_use(name):
        raise ModelNotAllowed(f"This API key may not use the model {name!r}", param="model")
    if not exchange.key.live and not route.provider.simulated:
        raise ModelNotAllowed("Test keys reach simulated models only; use a live key for this model", param="model")
    if _KINDS[exchange.endpoint] not in route.model.kinds:
        raise RequestRefused(f"The model {name!r} does not serve {exchange.endpoint}", param="model")
    return route


def _check_headers(headers: Headers, limit: int) -> None:
    kind = length = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value
        elif name == b"content-length":
            length = value
    if kind.partition(b";")[0].strip().lower() != b"application/json":
        raise NotJson()
    if length.isdigit() and int(length) > limit:
        raise BodyTooLarge(f"The request body may have at most {limit} bytes")
