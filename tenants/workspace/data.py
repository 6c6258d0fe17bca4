"""What crosses the workspace's border: conversations as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation; `role` is system, user or assistant."""

    role: str
    content: str
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConversationFacts:
    """A kept conversation without its messages."""

    id: str
    title: str
    model: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ConversationText:
    """A kept conversation with its messages, oldest first."""

    facts: ConversationFacts
    turns: tuple[Turn, ...]
