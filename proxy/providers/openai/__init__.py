"""Providers that speak OpenAI's HTTP interface: OpenAI, DeepSeek, Moonshot, vLLM, Ollama and many more.

Options: `stream_usage` 0 for servers that refuse `stream_options`; `connections` bounds the open connections.
"""

from __future__ import annotations

from typing import Final

from core.http import operator_policy
from proxy.providers.base import Order, ProviderConfig
from proxy.upstream.inbox import Inbox
from proxy.upstream.pool import Origin, Pool

_PATHS: Final = {"chat.completions": "/chat/completions", "embeddings": "/embeddings"}


class OpenAiProvider:
    """Request heads are made once per endpoint; a call adds its id, its length and its body."""

    simulated = False

    def __init__(self, config: ProviderConfig) -> None:
        origin = Origin.of(config.base_url)
        self.name = config.name
        self.reports_stream_usage = bool(config.options.get("stream_usage", 1))
        self._pool = Pool(
            origin,
            policy=operator_policy(),
            connect_seconds=config.connect_ms / 1000,
            limit=config.options.get("connections", 2000),
        )
        self._heads = {name: _head(origin, path, config.secret) for name, path in _PATHS.items()}

    async def call(self, order: Order) -> Inbox:
        head = self._heads[order.endpoint]
        return await self._pool.call(
            b"%b%b\r\ncontent-length: %d\r\n\r\n%b" % (head, order.request_id.encode(), len(order.body), order.body)
        )

    def prune(self, now: float) -> None:
        self._pool.prune(now)

    async def close(self) -> None:
        await self._pool.close()


def _head(origin: Origin, path: str, secret: str) -> bytes:
    """Everything before the request's id."""
    lines = [
        f"POST {origin.prefix}{path} HTTP/1.1",
        f"host: {origin.authority}",
        "content-type: application/json",
        "accept: application/json, text/event-stream",
        "accept-encoding: identity",
        "user-agent: lumos",
    ]
    if secret:
        lines.append(f"authorization: Bearer {secret}")
    return ("\r\n".join(lines) + "\r\nx-client-request-id: ").encode()


def build(config: ProviderConfig) -> OpenAiProvider:
    return OpenAiProvider(config)
