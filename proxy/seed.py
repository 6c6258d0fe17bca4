"""What a new installation can talk to: the simulated provider, and real ones whose keys stand in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.api import Actor
from proxy.data import ModelKind, ProviderKind
from proxy.models import Model, Provider
from proxy.services import add_model, add_provider, set_provider_key

DEMO: Final = "demo"
_MISBEHAVING: Final = ("demo-429", "demo-500", "demo-silence", "demo-cut", "demo-malformed", "demo-slow")


@dataclass(frozen=True, slots=True)
class _Model:
    name: str
    kind: ModelKind
    context: int
    max_output: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A public provider that speaks OpenAI's interface, and the variable in which its users keep the key."""

    variable: str
    name: str
    base_url: str
    models: tuple[_Model, ...]


_KNOWN: Final = (
    _Known(
        "OPENAI_API_KEY",
        "openai",
        "https://api.openai.com/v1",
        (
            _Model("gpt-4o", ModelKind.CHAT, 128_000, 16_384),
            _Model("gpt-4o-mini", ModelKind.CHAT, 128_000, 16_384),
            _Model("text-embedding-3-small", ModelKind.EMBEDDINGS, 8_191, 1),
        ),
    ),
    _Known(
        "ANTHROPIC_API_KEY",
        "anthropic",
        "https://api.anthropic.com/v1",  # their OpenAI-compatible endpoint
        (_Model("claude-sonnet-4-5", ModelKind.CHAT, 200_000, 64_000),),
    ),
)


def seed_demo_provider(*, acting: Actor, now: datetime, pace_ms: int = 20) -> bool:
    """The simulated provider with its models; False when it is there already."""
    if Provider.objects.filter(name=DEMO).exists():
        return False
    add_provider(name=DEMO, kind=ProviderKind.DEMO, options={"pace_ms": pace_ms}, acting=acting, now=now)
    chats = [_Model(name, ModelKind.CHAT, 32_000, 4_096) for name in ("demo-chat", "demo-fast", *_MISBEHAVING)]
    _add_models(DEMO, [*chats, _Model("demo-embed", ModelKind.EMBEDDINGS, 8_192, 1)], acting, now)
    return True


def seed_from_env(*, acting: Actor, now: datetime, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Providers for the keys that the environment holds; the names of those that were added.

    Plans price them by their lines for all models; what they cost the operator is not known until it is entered.
    """
    added = []
    for known in _KNOWN:
        key = environment.get(known.variable, "").strip()
        if not key or Provider.objects.filter(name=known.name).exists():
            continue
        base_url = environment.get(known.variable.replace("API_KEY", "BASE_URL"), "").strip() or known.base_url
        add_provider(name=known.name, kind=ProviderKind.OPENAI, base_url=base_url, acting=acting, now=now)
        set_provider_key(provider=known.name, plaintext=key, acting=acting, now=now)
        _add_models(known.name, known.models, acting, now)
        added.append(known.name)
    return added


def _add_models(provider: str, models: Sequence[_Model], acting: Actor, now: datetime) -> None:
    for model in models:
        if Model.objects.filter(name=model.name).exists():
            continue
        add_model(
            name=model.name,
            provider=provider,
            kinds=[model.kind],
            context=model.context,
            max_output=model.max_output,
            acting=acting,
            now=now,
        )
