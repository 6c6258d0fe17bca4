"""The models that the caller's key may use, in OpenAI's shape; costs nothing and books nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import orjson

from proxy.catalogue import Route
from proxy.endpoints.base import Endpoint
from proxy.envelope import answer_headers
from proxy.errors import ModelNotFound, NotReady
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.pipeline import ENTRANCE

_PREFIX = "/v1/models/"


async def _list(exchange: Exchange, gateway: Gateway, path: str) -> None:
    routes = await _usable(exchange, gateway)
    await _answer(exchange, {"object": "list", "data": [_shown(route) for route in routes]})


async def _read(exchange: Exchange, gateway: Gateway, path: str) -> None:
    name = unquote(path.removeprefix(_PREFIX))
    for route in await _usable(exchange, gateway):
        if route.model.name == name:
            await _answer(exchange, _shown(route))
            return
    raise ModelNotFound(f"There is no model called {name[:200]!r} for this key", param="model")


async def _usable(exchange: Exchange, gateway: Gateway) -> list[Route]:
    """Sorted by name. Raises what the entrance raises, and NotReady before a catalogue is known."""
    for stage in ENTRANCE:
        await stage(exchange, gateway)
    key, tenant = exchange.key, exchange.tenant
    assert key is not None
    assert tenant is not None
    if not gateway.catalogue.loaded:
        raise NotReady(retry_after_ms=2000)
    routes = sorted(gateway.catalogue.routes.values(), key=lambda route: route.model.name)
    allowed = [x for x in routes if tenant.may_use(x.model.name) and key.may_use(x.model.name)]
    return [x for x in allowed if key.live or x.provider.simulated]


def _shown(route: Route) -> dict[str, Any]:
    model = route.model
    return {"id": model.name, "object": "model", "created": model.created, "owned_by": model.provider}


async def _answer(exchange: Exchange, content: dict[str, Any]) -> None:
    body = orjson.dumps(content)
    headers = answer_headers(exchange.id, exchange.elapsed_ms(), None, stream=False)
    headers.append((b"content-length", b"%d" % len(body)))
    await exchange.begin(200, headers, body, last=True)


list_models = Endpoint("models", _list)
read_model = Endpoint("models", _read)
