"""What an endpoint is, and the two that refuse; even those stand behind the rates of address and process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from proxy.errors import NoSuchRoute, WrongMethod
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.pipeline import limit

Serve = Callable[[Exchange, Gateway, str], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`name` labels metrics and usage; `serve` gets the path."""

    name: str
    serve: Serve


async def _refuse_route(exchange: Exchange, gateway: Gateway, path: str) -> None:
    await limit.by_address(exchange, gateway)
    await limit.overall(exchange, gateway)
    raise NoSuchRoute(f"There is no URL {path[:200]!r} here")


no_such_route = Endpoint("unknown", _refuse_route)


def wrong_method(allowed: str) -> Endpoint:
    """The endpoint that says which method a URL takes."""

    async def serve(exchange: Exchange, gateway: Gateway, path: str) -> None:
        await limit.by_address(exchange, gateway)
        await limit.overall(exchange, gateway)
        raise WrongMethod(f"This URL takes {allowed} only", headers={"allow": allowed})

    return Endpoint("unknown", serve)
