"""Errors of the workspace.

LumosError
├── InvalidInput
│   └── TurnNotUsable
└── NotFound
    └── ConversationNotFound
"""

from __future__ import annotations

from core.errors import InvalidInput, NotFound


class TurnNotUsable(InvalidInput):
    code = "turn_not_usable"
    title = "This cannot be kept as part of a conversation"


class ConversationNotFound(NotFound):
    code = "conversation_not_found"
    title = "There is no such conversation"
