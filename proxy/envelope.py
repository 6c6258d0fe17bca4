"""Errors and headers as OpenAI's clients expect them; owns the rendering on `/v1`, decides nothing."""

from __future__ import annotations

from typing import Any

import orjson

from core.errors import LumosError
from proxy.errors import GatewayError
from quotas.api import Admission, Window

JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")
_UNCACHED = (b"cache-control", b"no-cache")
_UNBUFFERED = (b"x-accel-buffering", b"no")
Headers = list[tuple[bytes, bytes]]


def error_object(error: Exception) -> dict[str, Any]:
    """The inside of `{"error": …}`; anything unexpected becomes a plain server error without its text."""
    if isinstance(error, GatewayError):
        return {"message": error.message, "type": error.kind, "param": error.param, "code": error.code}
    if isinstance(error, LumosError):
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
        return {"message": error.message, "type": kind, "param": None, "code": error.code}
    return {"message": "The gateway failed", "type": "server_error", "param": None, "code": "internal_error"}


def error_body(error: Exception) -> bytes:
    return orjson.dumps({"error": error_object(error)})


def error_status(error: Exception) -> int:
    return error.status if isinstance(error, LumosError) else 500


def error_headers(error: Exception) -> Headers:
    """retry-after, retry-after-ms and x-should-retry, each only when it is known and true."""
    headers: Headers = []
    if isinstance(error, LumosError):
        headers += [(name.encode(), value.encode()) for name, value in error.headers.items()]
    if isinstance(error, GatewayError):
        if error.retry_after_ms is not None:
            headers.append((b"retry-after", b"%d" % -(-error.retry_after_ms // 1000)))
            headers.append((b"retry-after-ms", b"%d" % error.retry_after_ms))
        if error.retry is not None:
            headers.append((b"x-should-retry", b"true" if error.retry else b"false"))
    return headers


def error_event(envelope: bytes) -> bytes:
    """An error inside a stream. Clients that wait for `[DONE]` get it after the error, never instead of it."""
    return b"data: " + envelope + b"\n\ndata: [DONE]\n\n"


def answer_headers(request_id: str, elapsed_ms: int, admission: Admission | None, *, stream: bool) -> Headers:
    headers = [
        EVENT_STREAM if stream else JSON,
        (b"x-request-id", request_id.encode()),
        (b"openai-processing-ms", b"%d" % elapsed_ms),
    ]
    if stream:
        headers += (_UNCACHED, _UNBUFFERED)
    if admission is not None:
        _add_window(headers, b"requests", admission.requests)
        _add_window(headers, b"tokens", admission.tokens)
    return headers


def _add_window(headers: Headers, name: bytes, window: Window | None) -> None:
    if window is not None:
        headers += (
            (b"x-ratelimit-limit-" + name, b"%d" % window.limit),
            (b"x-ratelimit-remaining-" + name, b"%d" % window.remaining),
            (b"x-ratelimit-reset-" + name, duration(window.reset_ms)),
        )


def duration(milliseconds: int) -> bytes:
    """OpenAI's way to write a span: 120ms, 1.5s, 6m0s, 1h0m0s."""
    if milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, rest = divmod(milliseconds, 60_000)
    seconds, rest = divmod(rest, 1000)
    text = b"%d.%03ds" % (seconds, rest) if rest else b"%ds" % seconds
    if b"." in text:
        text = text[:-1].rstrip(b"0") + b"s"
    if not minutes:
        return text
    hours, minutes = divmod(minutes, 60)
    return b"%dh%dm%b" % (hours, minutes, text) if hours else b"%dm%b" % (minutes, text)
