"""What the maker of a key may put into it: nobody hands on more than they have. Pure; owns no query."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from core.networks import is_within
from tenants.data import KeyLimits


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a key reaches. Empty `models` stands for all of the plan, None for no limit and no end."""

    scopes: frozenset[str]
    live: bool = True
    models: frozenset[str] = frozenset()
    limits: KeyLimits = field(default_factory=KeyLimits)
    expires_at: datetime | None = None
    networks: tuple[str, ...] = ()


def beyond(own: Reach, wanted: Reach) -> dict[str, list[str]]:
    """The fields in which `wanted` reaches further than `own`, each with the reason; empty when it may be given."""
    found: dict[str, list[str]] = {}
    lacking = wanted.scopes - own.scopes
    if lacking:
        found["scopes"] = [f"This caller lacks {', '.join(sorted(lacking))} itself"]
    if wanted.live and not own.live:
        found["live"] = ["A test key makes test keys only"]
    if own.models and (not wanted.models or wanted.models - own.models):
        found["models"] = [f"This caller may use {', '.join(sorted(own.models))} only"]
    if _is_higher(wanted.limits.requests_per_minute, own.limits.requests_per_minute):
        found["limits.requests_per_minute"] = [f"This caller has {own.limits.requests_per_minute} itself"]
    if _is_higher(wanted.limits.tokens_per_minute, own.limits.tokens_per_minute):
        found["limits.tokens_per_minute"] = [f"This caller has {own.limits.tokens_per_minute} itself"]
    if own.expires_at is not None and (wanted.expires_at is None or wanted.expires_at > own.expires_at):
        found["expires_at"] = [f"This caller's own key ends at {own.expires_at.isoformat()}"]
    if own.networks and not is_within(wanted.networks, own.networks):
        found["networks"] = [f"This caller may call from {', '.join(own.networks)} only"]
    return found


def _is_higher(wanted: int | None, own: int | None) -> bool:
    return own is not None and (wanted is None or wanted > own)


def wanted_reach(given: Mapping[str, Any]) -> Reach:
    """What the checked body of a request asks for."""
    models: Collection[str] = given["models"]
    limits: KeyLimits | None = given["limits"]
    return Reach(
        frozenset(given["scopes"]),
        given["live"],
        frozenset(models),
        limits or KeyLimits(),
        given.get("expires_at"),
        tuple(given["networks"]),
    )
