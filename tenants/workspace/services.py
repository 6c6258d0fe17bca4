"""Keeping and deleting conversations; owns titles and the bounds of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from core.tenancy import require_tenant
from core.text import is_storable
from tenants.workspace.data import ConversationFacts, Turn
from tenants.workspace.errors import TurnNotUsable
from tenants.workspace.models import Conversation, Message
from tenants.workspace.selectors import facts_of, own_conversation

ROLES = frozenset({"system", "user", "assistant"})
LONGEST = 200_000  # characters of one message
_TITLE = 80


@transaction.atomic
def keep_turns(
    *, member_id: str, conversation_id: str, model: str, turns: Sequence[Turn], now: datetime
) -> ConversationFacts:
    """Add turns to a conversation of that member, or ("" for the id) begin one titled after its first question.

    Raises TurnNotUsable and ConversationNotFound.
    """
    require_tenant()
    _check(model, turns)
    conversation = (
        own_conversation(member_id, conversation_id)
        if conversation_id
        else Conversation.objects.create(title=_title(turns), model=model, member_id=member_id, created_at=now)
    )
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            role=turn.role,
            content=turn.content,
            created_at=now + timedelta(microseconds=position),  # one instant would leave their order open
        )
        for position, turn in enumerate(turns)
    )
    return facts_of(conversation)


def delete_conversation(*, member_id: str, conversation_id: str) -> None:
    """Delete it with its messages; raises ConversationNotFound."""
    own_conversation(member_id, conversation_id).delete()


def prune_conversations(*, before: datetime) -> int:
    """Delete, in the active tenant's schema, conversations of which nothing is as new as `before`; returns how many."""
    require_tenant()
    in_use = Message.objects.filter(conversation=OuterRef("pk"), created_at__gte=before)
    old = Conversation.objects.filter(~Exists(in_use), created_at__lt=before)
    _, by_model = old.delete()
    return by_model.get(Conversation._meta.label, 0)


def _check(model: str, turns: Sequence[Turn]) -> None:
    if not 1 <= len(model) <= 120 or not is_storable(model):
        raise TurnNotUsable("A conversation names its model", fields={"model": ["must have 1 to 120 characters"]})
    if not turns or any(turn.role not in ROLES or not turn.content for turn in turns):
        raise TurnNotUsable("Each message needs a role and text")
    if any(len(turn.content) > LONGEST or not is_storable(turn.content) for turn in turns):
        raise TurnNotUsable(f"A message may have {LONGEST} characters at most, and no null characters")


def _title(turns: Sequence[Turn]) -> str:
    first = next((turn.content for turn in turns if turn.role == "user"), turns[0].content)
    words = " ".join(first.split())
    return words if len(words) <= _TITLE else f"{words[: _TITLE - 1].rstrip()}…"
