"""What the quotas' tests set up: limits, requests, and raw looks into Redis; asserts nothing."""

from __future__ import annotations

import redis as redis_library

from core.ids import new_ulid
from quotas.api import (
    BlockingQuotaEngine,
    Dimension,
    EffectiveLimits,
    EngineKeys,
    Limit,
    Outcome,
    ReserveRequest,
    Ticket,
    calendar_month,
)

REQUESTS = Dimension.REQUESTS_PER_MINUTE
TOKENS = Dimension.TOKENS_PER_MINUTE
MONTH = Dimension.TOKENS_PER_MONTH
MONEY = Dimension.MONEY_PER_MONTH
CONCURRENT = Dimension.CONCURRENT_REQUESTS


def limits(*given: Limit, tenant_id: str = "", **values: int | None) -> EffectiveLimits:
    """Hard limits by dimension name, beside those given; what is not named is unlimited."""
    named = {limit.dimension: limit for limit in given}
    every = [named.get(dimension, Limit(dimension, values.pop(dimension.value, None))) for dimension in Dimension]
    assert not values, values
    return EffectiveLimits(tenant_id or new_ulid(), tuple(every))


def request(
    limits: EffectiveLimits,
    *,
    id: str = "",
    tokens: int = 100,
    micro: int = 50,
    input_tokens: int = 20,
    input_micro: int = 10,
    **more: object,
) -> ReserveRequest:
    name = id or f"req_{new_ulid()}"
    event = f'{{"id":"{name}","status":"abandoned"}}'.encode()
    return ReserveRequest(
        name, limits, tokens, micro, min(input_tokens, tokens), min(input_micro, micro), event, **more
    )


def settle(
    engine: BlockingQuotaEngine, ticket: Ticket | None, *, tokens: int = 30, micro: int = 15, event: bytes = b"{}"
) -> Outcome:
    assert ticket is not None
    return engine.settle(ticket, input_tokens=tokens, output_tokens=0, micro=micro, event=event)


def server_seconds(client: redis_library.Redis) -> int:
    return client.time()[0]


def period_counters(client: redis_library.Redis, keys: EngineKeys, tenant_id: str, period: str = "") -> dict[str, int]:
    """Used and held of a tenant's period, such as {"tokens_per_month:used": 30}."""
    name = keys.period(tenant_id, period or calendar_month(server_seconds(client)).id)
    return {
        field.decode(): int(value)
        for field, value in client.hgetall(name).items()
        if field.endswith((b":used", b":held"))
    }


def usage_events(client: redis_library.Redis, keys: EngineKeys) -> list[bytes]:
    return [fields[b"e"] for _, fields in client.xrange(keys.usage)]


def everything(client: redis_library.Redis) -> dict[bytes, object]:
    """All that this test worker has in Redis, for "nothing changed"."""
    from core.redis import namespace

    return {name: client.dump(name) for name in client.scan_iter(f"{namespace()}:*", count=1000)}
