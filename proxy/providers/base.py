"""What the pipeline knows of a provider: an order goes out, an inbox fills; nothing of how either is spoken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.upstream.inbox import Inbox


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """One configured provider, its secret open. `options` are whole numbers that a kind may know."""

    name: str
    kind: str
    base_url: str
    secret: str
    options: Mapping[str, int]
    connect_ms: int

    def __repr__(self) -> str:
        return f"ProviderConfig({self.name!r}, {self.kind!r}, {self.base_url!r})"


@dataclass(frozen=True, slots=True)
class Order:
    """One call: `endpoint` is chat.completions or embeddings, `body` its JSON, `request` the same decoded."""

    request_id: str
    endpoint: str
    model: str
    stream: bool
    body: bytes
    request: Mapping[str, Any]


class Provider(Protocol):
    """One provider in this process. `simulated`: it costs nobody anything, so test keys may use it."""

    name: str
    simulated: bool
    reports_stream_usage: bool

    async def call(self, order: Order) -> Inbox:
        """Sends the order; the inbox carries an OpenAI-shaped answer. Raises ProviderFailure."""
        ...

    def prune(self, now: float) -> None:
        """Lets go of what was idle for long; `now` is the loop's time."""
        ...

    async def close(self) -> None: ...
