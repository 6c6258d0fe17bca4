"""The simulated provider's prose: honest about being simulated, about the request it got; pure and deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_QUOTE = 160


def answer_words(model: str, request: Mapping[str, Any]) -> list[str]:
    """The answer as words with their leading spaces; each stands for one token."""
    messages = request.get("messages") or []
    question = _last_user_text(messages)
    quote = f'"{question[:_QUOTE]}{"…" if len(question) > _QUOTE else ""}"' if question else "nothing"
    text = (
        f"This is a simulated answer of {model}, made inside Lumos without a language model. "
        f"Your request carried {len(messages)} message{'' if len(messages) == 1 else 's'}; "
        f"the last one from the user says {quote} in {len(question.split())} words. "
        "A real provider would answer here; connect one, and this same request reaches it unchanged."
    )
    first, *rest = text.split(" ")
    return [first, *(f" {word}" for word in rest)]


def _last_user_text(messages: Any) -> str:
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            return _text(message.get("content"))
    return ""


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content.strip()
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return " ".join(part for part in parts if isinstance(part, str)).strip()
    return ""
