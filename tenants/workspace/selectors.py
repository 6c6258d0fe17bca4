"""Reading conversations: a member's own ones, in the schema of the active tenant."""

from __future__ import annotations

from core.ids import is_ulid
from core.tenancy import require_tenant
from tenants.workspace.data import ConversationFacts, ConversationText, Turn
from tenants.workspace.errors import ConversationNotFound
from tenants.workspace.models import Conversation


def conversations_of(member_id: str, *, limit: int = 50) -> list[ConversationFacts]:
    """That member's conversations, newest first. Raises NoActiveScope without a tenant."""
    require_tenant()
    rows = Conversation.objects.filter(member_id=member_id).order_by("-created_at", "-id")[:limit]
    return [facts_of(row) for row in rows]


def conversation_text(member_id: str, conversation_id: str) -> ConversationText:
    """One conversation; raises ConversationNotFound for another member's too."""
    row = own_conversation(member_id, conversation_id)
    messages = row.messages.order_by("created_at", "id")
    return ConversationText(
        facts_of(row), tuple(Turn(message.role, message.content, message.created_at) for message in messages)
    )


def own_conversation(member_id: str, conversation_id: str) -> Conversation:
    require_tenant()
    known = is_ulid(conversation_id)
    row = Conversation.objects.filter(pk=conversation_id, member_id=member_id).first() if known else None
    if row is None:
        raise ConversationNotFound()
    return row


def facts_of(row: Conversation) -> ConversationFacts:
    return ConversationFacts(row.id, row.title, row.model, row.created_at)
