"""Usage facts as the gateway would settle them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from billing.data import UsageFact
from core.ids import new_ulid
from core.redis import control, key

MOMENT = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
ACME_ID = "01jd00000000000000000acme0"


def milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


_PLAIN = UsageFact(
    id="req_01jd0000000000000000000001",
    tenant_id=ACME_ID,
    key_id="01jd0000000000000000000key",
    model="demo-chat",
    provider="demo",
    endpoint="chat.completions",
    input_tokens=100,
    cached_tokens=0,
    output_tokens=50,
    status="ok",
    occurred_at_ms=milliseconds(MOMENT),
    latency_ms=800,
    first_token_ms=120,
    price_version="test@1",
    estimated=False,
    provisional_micro=0,
    live=True,
)


def fact(**changes: Any) -> UsageFact:
    return replace(_PLAIN, **changes)


def send(*facts: UsageFact) -> None:
    """Put facts on the stream, as a settlement does."""
    pipeline = control().pipeline(transaction=False)
    for each in facts:
        pipeline.xadd(key("usage"), {"e": each.to_json()})
    pipeline.execute()


def facts_of(tenant_id: str, *tokens: tuple[int, int, int], **changes: Any) -> list[UsageFact]:
    """One fact for each (input, cached, output), a second apart, each with an id of its own."""
    return [
        fact(
            id=f"req_{new_ulid()}",
            tenant_id=tenant_id,
            input_tokens=total,
            cached_tokens=cached,
            output_tokens=output,
            occurred_at_ms=milliseconds(MOMENT) + number * 1000,
            **changes,
        )
        for number, (total, cached, output) in enumerate(tokens)
    ]
