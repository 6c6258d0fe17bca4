"""How much it may cost: estimates, prices, and holds the amounts in one round trip; owns no counter.

Input is estimated on the high side; output counts at the caller's limit, else at the model's default. Money is
priced by the tenant's sheet: a model without a price is refused, never given away.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson

from billing.api import UnknownPrice, UsageStatus, estimate_micro
from core.errors import Unavailable
from core.redis.pipe import RedisAway
from proxy import estimate
from proxy.errors import LayerLimited, NotReady, PriceUnknown, QuotaSpent, RequestRefused
from proxy.pipeline.route import CHAT
from quotas.api import Admission, Denial, Kind, ReserveRequest, Unit
from tenants.api import FailurePolicy

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.gateway import Gateway


async def hold(exchange: Exchange, gateway: Gateway) -> None:
    """Sets estimates and admission. Raises LayerLimited, QuotaSpent, PriceUnknown, NotReady."""
    _estimate(exchange)
    request = _request(exchange, gateway.settings.total_ms + gateway.settings.lease_slack_ms)
    admission = await _reserve(exchange, request, gateway)
    gateway.tail.heard_of(admission.sequence)
    if admission.denial is not None:
        raise _refusal(admission, admission.denial)
    exchange.admission = admission


async def _reserve(exchange: Exchange, request: ReserveRequest, gateway: Gateway) -> Admission:
    """An answer that is lost, or that nobody waits for any more, may have been a yes: that one is given back."""
    try:
        return await gateway.engine.reserve(request)
    except Unavailable as error:
        gateway.tally.redis_failures += 1
        if _on_lease(exchange, request, gateway):
            return Admission(gateway.engine.ticket_for(request), None, None, None, 0)
        if isinstance(error, RedisAway) and error.unanswered:
            gateway.settler.give_back(request.id, request.limits.tenant_id)
        raise NotReady(code=error.code, retry_after_ms=1000) from error
    except asyncio.CancelledError:
        gateway.settler.give_back(request.id, request.limits.tenant_id)
        raise


def _on_lease(exchange: Exchange, request: ReserveRequest, gateway: Gateway) -> bool:
    """Whether the tenant's failure policy and this process' lease let a request pass that nobody could count.

    It is booked when it is over, like any other; a reservation whose answer was lost ends with that too.
    """
    assert exchange.tenant is not None
    if exchange.tenant.failure_policy != FailurePolicy.CONSERVATIVE:
        return False
    served = gateway.leases.admit(
        exchange.tenant.id,
        request.limits.limits,
        tokens=request.tokens,
        micro=request.micro,
        now=exchange.started_ns,
        key=request.key_id,
        key_limits=request.key_limits,
    )
    gateway.tally.leased += served
    return served


def price(exchange: Exchange, inputs: int, cached: int, outputs: int) -> int:
    """Micro-units of money by the tenant's sheet; 0 for test keys. Raises PriceUnknown."""
    assert exchange.key is not None
    assert exchange.tenant is not None
    assert exchange.route is not None
    if not exchange.key.live:
        return 0
    sheet = exchange.tenant.prices
    if sheet is None:
        raise PriceUnknown()
    position = sheet.positions_at(exchange.occurred_at_ms)
    try:
        return estimate_micro(sheet, exchange.route.model.name, inputs, cached, outputs, position)
    except UnknownPrice as error:
        raise PriceUnknown() from error


def fact_json(exchange: Exchange, status: str, counts: tuple[int, int, int], *, micro: int, estimated: bool) -> bytes:
    """The usage event; `counts` are input (total), cached and output tokens."""
    assert exchange.key is not None
    assert exchange.tenant is not None
    assert exchange.route is not None
    first = exchange.first_token_ns
    sheet = exchange.tenant.prices
    return orjson.dumps(
        {  # the fields of UsageFact, which would cost as much again to build twice a request
            "id": exchange.id,
            "tenant_id": exchange.tenant.id,
            "key_id": exchange.key.id,
            "model": exchange.route.model.name,
            "provider": exchange.route.provider.name,
            "endpoint": exchange.endpoint,
            "input_tokens": counts[0],
            "cached_tokens": counts[1],
            "output_tokens": counts[2],
            "status": status,
            "occurred_at_ms": exchange.occurred_at_ms,
            "latency_ms": exchange.elapsed_ms(),
            "first_token_ms": (first - exchange.started_ns) // 1_000_000 if first else None,
            "price_version": sheet.version if sheet is not None else "",
            "estimated": estimated,
            "provisional_micro": micro,
            "live": exchange.key.live,
        }
    )


def _estimate(exchange: Exchange) -> None:
    request, route = exchange.request, exchange.route
    assert route is not None
    try:
        tokens = estimate.chat_tokens(request) if exchange.endpoint == CHAT else estimate.input_tokens(request["input"])
    except orjson.JSONEncodeError as error:
        raise RequestRefused("The body is nested too deeply", code="invalid_json") from error
    exchange.input_estimate = min(tokens, route.model.context) if route.model.context else tokens
    if exchange.endpoint == CHAT:
        asked = request.get("max_completion_tokens") or request.get("max_tokens") or route.model.default_output
        exchange.output_limit = min(asked, route.model.max_output) * (request.get("n") or 1)


def _request(exchange: Exchange, ttl_ms: int) -> ReserveRequest:
    assert exchange.key is not None
    assert exchange.tenant is not None
    inputs, outputs = exchange.input_estimate, exchange.output_limit
    input_micro = price(exchange, inputs, 0, 0)
    abandoned = fact_json(exchange, UsageStatus.ABANDONED, (inputs, 0, 0), micro=input_micro, estimated=True)
    return ReserveRequest(
        id=exchange.id,
        limits=exchange.tenant.limits,
        tokens=inputs + outputs,
        micro=max(price(exchange, inputs, 0, outputs), input_micro),
        input_tokens=inputs,
        input_micro=input_micro,
        abandoned_event=abandoned,
        key_id=exchange.key.id if exchange.key.limits else "",
        key_limits=exchange.key.limits,
        ttl_ms=ttl_ms,
    )


def _refusal(admission: Admission, denial: Denial) -> LayerLimited | QuotaSpent:
    """Which limit, what is left, when it resets: in words and in headers."""
    wait = denial.reset_seconds
    name = denial.dimension.value.replace("_", " ")
    rest = "waiting does not help" if wait is None else f"try again in {wait} s"
    message = f"Limit of {name} ({denial.scope.value}) reached: limit {denial.limit}, {denial.remaining} left, {rest}"
    unit = "tokens" if denial.dimension.unit is Unit.TOKENS else "requests"
    headers = {f"x-ratelimit-limit-{unit}": str(denial.limit), f"x-ratelimit-remaining-{unit}": str(denial.remaining)}
    if wait is not None:
        headers[f"x-ratelimit-reset-{unit}"] = f"{wait}s"
    if denial.dimension.kind is Kind.PERIOD:
        return QuotaSpent(message, headers={} if denial.dimension.unit is Unit.MICRO else headers)
    retry_ms = None if wait is None else wait * 1000
    refusal = LayerLimited(message, kind=unit, retry_after_ms=retry_ms, headers=headers)
    refusal.retry = wait is not None
    return refusal
