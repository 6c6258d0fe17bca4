"""Token counts as providers report them; pure, owns what counts as a report and what does not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """`input_tokens` is the total, `cached_tokens` the part of it that the provider served from its cache."""

    input_tokens: int
    cached_tokens: int
    output_tokens: int


def reported(report: Any) -> TokenUsage | None:
    """The counts of an OpenAI `usage` object, or None when it cannot be believed."""
    if not isinstance(report, dict):
        return None
    inputs = _count(report.get("prompt_tokens"))
    outputs = _count(report.get("completion_tokens", 0))
    if inputs is None or outputs is None or inputs + outputs == 0:
        return None
    details = report.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return TokenUsage(inputs, min(cached or 0, inputs), outputs)


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < 10**12 else None
