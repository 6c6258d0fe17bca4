"""Passing the answer on, each read the moment it arrives; owns the order of bytes, decides nothing.

A stream that breaks is never made to look finished: its error is the pipeline's to tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from proxy.envelope import answer_headers
from proxy.errors import ProviderFailure, ProviderMalformed
from proxy.providers.failures import event_failure
from proxy.streaming.sse import DONE, SseScanner
from proxy.streaming.usage import reported

if TYPE_CHECKING:
    from proxy.exchange import Exchange
    from proxy.gateway import Gateway
    from proxy.upstream.inbox import Inbox, Sink


class _Answer(msgspec.Struct):
    """The only field of a JSON answer that is metered; the decoder checks the rest and throws it away."""

    usage: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Answer)


async def pass_on(exchange: Exchange, gateway: Gateway) -> None:
    """Sends the answer. Raises ProviderFailure, also after a part of it was sent."""
    if exchange.scanner is None:
        await _pass_whole(exchange)
    else:
        await _pass_stream(exchange, exchange.scanner)


async def _pass_whole(exchange: Exchange) -> None:
    try:
        answer = _decoder.decode(exchange.content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProviderMalformed() from error
    exchange.usage = reported(answer.usage)
    headers = answer_headers(exchange.id, exchange.elapsed_ms(), exchange.admission, stream=False)
    headers.append((b"content-length", b"%d" % len(exchange.content)))
    await exchange.begin(200, headers, exchange.content, last=True)


async def _pass_stream(exchange: Exchange, scanner: SseScanner) -> None:
    inbox = exchange.inbox
    assert inbox is not None
    headers = answer_headers(exchange.id, exchange.elapsed_ms(), exchange.admission, stream=True)
    last = exchange.content
    if not scanner.done:
        await exchange.begin(200, headers, last, last=False)
        last = await _pass_events(exchange, scanner, inbox)
    exchange.usage = scanner.usage
    if exchange.begun:
        await exchange.finish(last + DONE)
    else:
        await exchange.begin(200, headers, last + DONE, last=True)
    inbox.release()


async def _pass_events(exchange: Exchange, scanner: SseScanner, inbox: Inbox) -> bytes:
    """Relays until the answer says that it is over; returns the events that arrived with its end.

    Chunks go from where they arrive straight to the client; this coroutine is woken only when the client does not
    read as fast as the provider sends, and at the end.
    """
    left = b""

    def pass_now(data: bytes) -> bool:
        nonlocal left
        events = scanner.feed(data)
        if scanner.over or (events and not exchange.port.write_now(events)):
            left = events
            return False
        return True

    while not scanner.over and await _pour(inbox, scanner, pass_now):
        if left and not scanner.done:
            events, left = left, b""
            await exchange.write(events)
    if scanner.error is not None:
        raise event_failure(scanner.error)
    return left


async def _pour(inbox: Inbox, scanner: SseScanner, sink: Sink) -> bool:
    """Whether there may be more; False when the answer is over and complete. Raises ProviderFailure when it is not."""
    try:
        if await inbox.pour(sink):
            return True
        scanner.close()
    except ProviderFailure:
        if scanner.answered:
            return False
        raise
    if not scanner.answered:
        raise ProviderMalformed("The provider of this model stopped before the answer was complete")
    return False
