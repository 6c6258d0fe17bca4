"""The workspace's front door."""

from tenants.workspace.data import ConversationFacts, ConversationText, Turn
from tenants.workspace.errors import ConversationNotFound, TurnNotUsable
from tenants.workspace.selectors import conversation_text, conversations_of
from tenants.workspace.services import delete_conversation, keep_turns

__all__ = [
    "ConversationFacts",
    "ConversationNotFound",
    "ConversationText",
    "Turn",
    "TurnNotUsable",
    "conversation_text",
    "conversations_of",
    "delete_conversation",
    "keep_turns",
]
