"""Turns a provider's refusal into ours; owns which statuses are the caller's fault and what is kept secret.

The provider's message is passed on only where the caller can act on it. Its headers, its account and its
credentials are the operator's business: its 401 is never the caller's 401.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from proxy.errors import (
    ProviderFailure,
    ProviderLimited,
    ProviderMisconfigured,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnavailable,
)
from proxy.upstream.inbox import Inbox

_CALLERS_FAULT = frozenset({400, 409, 413, 415, 422})
_UNAVAILABLE = frozenset({502, 503, 529})
_OPERATORS_FAULT: dict[int, Callable[[], ProviderFailure]] = {
    401: ProviderMisconfigured,
    402: ProviderMisconfigured,
    403: ProviderMisconfigured,
    404: partial(ProviderMisconfigured, code="provider_model_missing", status=502),
    408: ProviderTimeout,
    504: ProviderTimeout,
}
_MESSAGE_LIMIT = 2000
_SECRET = re.compile(r"\b(?:sk|pk|key|lum_\w+?)[-_][A-Za-z0-9_\-\.\*]{8,}")
_RETRY_LIMIT_MS = 3_600_000


def failure_of(inbox: Inbox, body: bytes) -> ProviderFailure:
    """The error for an answer whose status is not 200."""
    status = inbox.status
    error = _envelope(body)
    if status in _CALLERS_FAULT:
        return _refusal(status, error)
    if status in _UNAVAILABLE:
        return ProviderUnavailable(retry_after_ms=retry_after_ms(inbox))
    if status == 429:
        return _limited(inbox, error)
    known = _OPERATORS_FAULT.get(status)
    return known() if known else ProviderFailure()


def _limited(inbox: Inbox, error: dict[str, Any]) -> ProviderFailure:
    if error.get("code") == "insufficient_quota":
        return ProviderMisconfigured(code="provider_quota_exhausted")
    return ProviderLimited(retry_after_ms=retry_after_ms(inbox))


def event_failure(error: dict[str, Any]) -> ProviderFailure:
    """The error for an error event inside a stream."""
    code = error.get("code")
    if code in {"rate_limit_exceeded", 429}:
        return ProviderLimited()
    return ProviderFailure(code="provider_stream_error")


def retry_after_ms(inbox: Inbox) -> int | None:
    """What the provider says about coming back, in milliseconds; None when it says nothing readable."""
    exact, seconds = inbox.header(b"retry-after-ms"), inbox.header(b"retry-after")
    for value, factor in ((exact, 1), (seconds, 1000)):
        if value is not None and re.fullmatch(rb"\d{1,9}(\.\d{1,6})?", value):
            return min(int(float(value) * factor), _RETRY_LIMIT_MS)
    return None


def _refusal(status: int, error: dict[str, Any]) -> ProviderRefused:
    message, param, code, kind = (error.get(name) for name in ("message", "param", "code", "type"))
    return ProviderRefused(
        _SECRET.sub("[hidden]", message)[:_MESSAGE_LIMIT] if isinstance(message, str) else "",
        param=param if isinstance(param, str) else None,
        code=code if isinstance(code, str) else None,
        kind=kind if isinstance(kind, str) else None,
        status=status,
    )


def _envelope(body: bytes) -> dict[str, Any]:
    try:
        decoded = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = decoded.get("error") if isinstance(decoded, dict) else None
    return error if isinstance(error, dict) else {}
