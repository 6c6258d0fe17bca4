"""The way of a request, in order. Each stage takes the exchange, does one thing, and hands on or raises.

A refusal in one stage keeps the later ones from being reached: a flood without a key never gets to authentication,
and nobody's body is read before they are known. `settle` closes the books whatever happened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import structlog

from core.errors import LumosError
from proxy.envelope import answer_headers, error_body, error_headers, error_status
from proxy.errors import ClientGone, GatewayError, NotReady
from proxy.pipeline import admit, authenticate, forward, limit, relay, reserve, route, settle

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.gateway import Gateway

log = structlog.get_logger(__name__)
Stage = Callable[["Exchange", "Gateway"], Awaitable[None]]

ENTRANCE: Final[tuple[Stage, ...]] = (
    limit.by_address,
    limit.overall,
    authenticate.identify,
    admit.check_rights,
)
STAGES: Final[tuple[Stage, ...]] = (
    *ENTRANCE,
    route.choose,
    reserve.hold,
    forward.call,
    relay.pass_on,
    settle.close,
)
_OPENING, _CLOSING = STAGES[:-1], STAGES[-1]
_LAST_WORDS_SECONDS = 5


async def run(exchange: Exchange, gateway: Gateway) -> None:
    """Takes a request through all stages; raises nothing but the cancellation of the whole process."""
    exchange.task = asyncio.current_task()
    gateway.watch.enter(exchange)
    try:
        for stage in _OPENING:
            await stage(exchange, gateway)
    except asyncio.CancelledError:
        _interrupted(exchange)
    except LumosError as error:
        exchange.error = exchange.cause or error
    except Exception as error:
        log.exception("proxy.pipeline.failed", request_id=exchange.id)
        exchange.error = exchange.cause or error
    try:
        if exchange.error is not None:
            await _end_badly(exchange, exchange.error)
    finally:
        gateway.watch.leave(exchange)
        await _CLOSING(exchange, gateway)


def _interrupted(exchange: Exchange) -> None:
    """Cancelled: by ourselves for `cause`, or with the server, which is about to end."""
    if exchange.task is not None:
        exchange.task.uncancel()
    exchange.error = exchange.cause or NotReady()


async def _end_badly(exchange: Exchange, error: Exception) -> None:
    """Tells the client what happened, in a status if there was none yet, else in an event."""
    if exchange.inbox is not None:
        exchange.inbox.abort()
    if exchange.finished or isinstance(error, ClientGone):
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            if exchange.begun:
                await exchange.fail(error_status(error), error_body(error))
            else:
                await refuse(exchange, error)


async def refuse(exchange: Exchange, error: Exception) -> None:
    """Sends an error as the whole answer."""
    body = error_body(error)
    headers = answer_headers(exchange.id, exchange.elapsed_ms(), exchange.admission, stream=False)
    headers += [*error_headers(error), (b"content-length", b"%d" % len(body))]
    await exchange.begin(error_status(error), headers, body, last=True)


__all__ = ["ENTRANCE", "STAGES", "GatewayError", "Stage", "refuse", "run"]
