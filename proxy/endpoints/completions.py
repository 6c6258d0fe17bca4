"""The endpoints that cost something: each is the whole pipeline under a name."""

from __future__ import annotations

from proxy import pipeline
from proxy.endpoints.base import Endpoint
from proxy.exchange import Exchange
from proxy.gateway import Gateway
from proxy.pipeline.route import CHAT, EMBEDDINGS


async def _serve(exchange: Exchange, gateway: Gateway, path: str) -> None:
    await pipeline.run(exchange, gateway)


chat = Endpoint(CHAT, _serve)
embeddings = Endpoint(EMBEDDINGS, _serve)
