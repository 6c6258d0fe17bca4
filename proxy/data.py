"""What crosses the proxy's border: events, and providers and models as other rooms may know them; no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.events import DomainEvent, event_type


class ProviderKind(StrEnum):
    """How a provider is spoken to; each is a folder under proxy/providers."""

    OPENAI = "openai"
    DEMO = "demo"


class ModelKind(StrEnum):
    """What a model can be asked for."""

    CHAT = "chat"
    EMBEDDINGS = "embeddings"


@event_type("proxy.catalogue-changed")
@dataclass(frozen=True, slots=True)
class CatalogueChanged(DomainEvent):
    """A provider, one of its keys, or a model is another one now."""

    subject: str


@dataclass(frozen=True, slots=True)
class ProviderKeyFacts:
    """A provider's key as it may be shown."""

    name: str
    last_four: str


@dataclass(frozen=True, slots=True)
class ProviderFacts:
    id: str
    name: str
    kind: ProviderKind
    base_url: str
    enabled: bool
    options: Mapping[str, int]
    keys: tuple[ProviderKeyFacts, ...]


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`context`, `max_output` and `default_output` are tokens; `context` 0 means unknown."""

    name: str
    provider: str
    upstream_name: str
    kinds: tuple[str, ...]
    context: int
    max_output: int
    default_output: int
    enabled: bool
