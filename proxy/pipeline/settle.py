"""Closing the books of a request, once, whatever happened to it; owns which counts are charged.

Reported counts are charged as reported. Without a report, what was sent and what was seen is estimated and marked.
A provider that failed before it answered anything is charged nothing, and neither is a client that left before
anything was sent: not even the price of a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing.api import UsageStatus
from core.faults import fault_point
from proxy.envelope import error_status
from proxy.errors import ClientGone, GatewayError
from proxy.pipeline.reserve import fact_json, price
from proxy.pipeline.route import CHAT
from proxy.settlement import Settlement

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.gateway import Gateway


async def close(exchange: Exchange, gateway: Gateway) -> None:
    """Books the usage and its event if anything was reserved; never raises but for cancellation."""
    status = outcome(exchange)
    _count(exchange, gateway, status)
    ticket = exchange.admission.ticket if exchange.admission is not None else None
    if ticket is None:
        return
    inputs, cached, outputs, estimated = charged(exchange, status)
    try:
        micro = price(exchange, inputs, cached, outputs) if inputs or outputs else 0
    except GatewayError:
        micro = 0  # a sheet that prices less than it did at admission; the ingest settles the exact charge
    event = fact_json(exchange, status, (inputs, cached, outputs), micro=micro, estimated=estimated)
    fault_point("proxy.settle.before")
    await gateway.settler.book(Settlement(ticket, inputs, outputs, micro, event))
    gateway.tally.tokens["input"] += inputs
    gateway.tally.tokens["output"] += outputs


def outcome(exchange: Exchange) -> UsageStatus:
    """How the request ended, as the usage event says it."""
    if exchange.error is None:
        return UsageStatus.OK
    if isinstance(exchange.error, ClientGone):
        return UsageStatus.CLIENT_CLOSED
    return UsageStatus.STREAM_ERROR if exchange.first_token_ns else UsageStatus.UPSTREAM_ERROR


def charged(exchange: Exchange, status: UsageStatus) -> tuple[int, int, int, bool]:
    """Input, cached and output tokens to charge, and whether they are an estimate."""
    scanner = exchange.scanner
    usage = exchange.usage or (scanner.usage if scanner is not None else None)
    if usage is not None:
        return usage.input_tokens, usage.cached_tokens, usage.output_tokens, False
    if status is UsageStatus.UPSTREAM_ERROR or exchange.inbox is None:
        return 0, 0, 0, False
    return exchange.input_estimate, 0, _seen_output(exchange), True


def _seen_output(exchange: Exchange) -> int:
    if exchange.scanner is not None:
        return exchange.scanner.seen_tokens
    return len(exchange.content) // 4 if exchange.endpoint == CHAT else 0


def _count(exchange: Exchange, gateway: Gateway, status: UsageStatus) -> None:
    tally = gateway.tally
    error = exchange.error
    label = status.value
    if error is not None and exchange.admission is None:
        label = f"refused_{error_status(error)}"
    tally.requests[exchange.endpoint, label] += 1
    tally.latency[exchange.endpoint].add(exchange.elapsed_ms() / 1000)
    if exchange.first_token_ns:
        tally.first_token.add((exchange.first_token_ns - exchange.started_ns) / 1e9)
    if exchange.scanner is not None:
        tally.chunks += exchange.scanner.events
