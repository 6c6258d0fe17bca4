"""Reads a provider's event stream on its way to the client, without decoding what need not be decoded.

Only whole events are handed on, so that an error event can follow at any moment without joining a torn line. Each
read is judged by a few byte searches; an event is decoded as JSON only when it is the first one or holds something
that is metered: usage, a finish reason, an error. Format: WHATWG HTML, 9.2 "Server-sent events".
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from proxy.errors import ProviderMalformed
from proxy.streaming.usage import TokenUsage, reported

LINE_LIMIT = 1024 * 1024
DONE = b"data: [DONE]\n\n"
_FIELDS = (b"data", b"event", b"id", b"retry", b":")
_BYTES_PER_TOKEN = 4
_find_metered = re.compile(rb'"(?:usage": ?\{|finish_reason": ?"|error":)').search


def _plain_events(data: bytes) -> int:
    """How many events a read holds when each is whole, one line of one JSON object, and says nothing that is metered;
    0 when that is not so."""
    if not data.startswith(b"data: {") or not data.endswith(b"}\n\n"):
        return 0
    ends = data.count(b"\n")
    if ends != 2 and ends != 2 * data.count(b"}\n\ndata: {") + 2:
        return 0
    return 0 if _find_metered(data) else ends // 2


class SseScanner:
    """State of one stream. `keep_usage`: the client asked for the usage event, so it is passed on."""

    __slots__ = (
        "_held",
        "_held_size",
        "_overhead",
        "_tail",
        "done",
        "error",
        "events",
        "finish_reason",
        "keep_usage",
        "model",
        "passed",
        "usage",
    )

    def __init__(self, *, keep_usage: bool) -> None:
        self.keep_usage = keep_usage
        self.events = 0
        self.passed = 0
        self.done = False
        self.error: dict[str, Any] | None = None
        self.finish_reason: str | None = None
        self.model: str | None = None
        self.usage: TokenUsage | None = None
        self._overhead = 0
        self._held: list[bytes] = []
        self._held_size = 0
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Whole events to hand on, possibly none; raises ProviderMalformed. `[DONE]` is noted and kept back."""
        if self.events and not self.done and not self._held:
            count = _plain_events(data)
            if count:
                self.events += count
                self.passed += len(data)
                return data
        if self._held or data[-2:] != b"\n\n" or b"\r" in data:
            data = self._whole_events(data)
        return self._inspect(data)

    def close(self) -> None:
        """The provider's answer ended; raises ProviderMalformed when it ended inside an event."""
        if self._held_size and b"".join(self._held).strip():
            raise ProviderMalformed()

    @property
    def seen_tokens(self) -> int:
        """Estimate of the output tokens handed on: about one an event, or four bytes of text, whichever is more."""
        text = self.passed - self.events * self._overhead
        return max(self.events - 1, text // _BYTES_PER_TOKEN, 0)

    @property
    def over(self) -> bool:
        """Whether nothing more is to be read: the end mark came, or an error."""
        return self.done or self.error is not None

    @property
    def answered(self) -> bool:
        """Whether the answer came to its end, by its own word."""
        return self.done or self.finish_reason is not None

    def _whole_events(self, data: bytes) -> bytes:
        """The bytes up to the end of the last whole event, with line ends made uniform; keeps the rest."""
        near = self._tail + data
        if max(near.rfind(b"\n\n"), near.rfind(b"\n\r\n")) < 0:
            self._hold(data)
            return b""
        joined = b"".join((*self._held, data))
        cut = max(joined.rfind(b"\n\n") + 2, joined.rfind(b"\n\r\n") + 3)
        self._held, self._held_size, self._tail = [], 0, b""
        if cut < len(joined):
            self._hold(joined[cut:])
        return joined[:cut].replace(b"\r\n", b"\n")

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_size += len(data)
        self._tail = (self._tail + data)[-2:]
        if self._held_size > LINE_LIMIT:
            raise ProviderMalformed()

    def _inspect(self, data: bytes) -> bytes:
        kept = [event + b"\n\n" for event in data.split(b"\n\n") if event.strip() and self._passes(event)]
        block = b"".join(kept)
        self.passed += len(block)
        return block

    def _passes(self, event: bytes) -> bool:
        """Notes what one event says; whether the client gets it."""
        if self.done or self.error is not None:
            return False
        payload = self._payload(event)
        if payload is None:
            return True
        if payload == b"[DONE]":
            self.done = True
            return False
        return self._note(self._decoded(payload), len(event) + 2)

    @staticmethod
    def _payload(event: bytes) -> bytes | None:
        """The data of an event; None for comments and events without any."""
        lines = event.strip(b"\n").split(b"\n")
        if not all(line.startswith(_FIELDS) for line in lines):
            raise ProviderMalformed()
        values = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        return b"\n".join(values) if values else None

    @staticmethod
    def _decoded(payload: bytes) -> dict[str, Any]:
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise ProviderMalformed() from error
        if not isinstance(chunk, dict):
            raise ProviderMalformed()
        return chunk

    def _note(self, chunk: dict[str, Any], size: int) -> bool:
        if chunk.get("error"):
            error = chunk["error"]
            self.error = error if isinstance(error, dict) else {"message": str(error)}
            return False
        choices = chunk.get("choices")
        choices = choices if isinstance(choices, list) else []
        self.usage = reported(chunk.get("usage")) or self.usage
        if chunk.get("usage") and not choices:
            return self.keep_usage
        self._note_choices(choices, size)
        self.model = self.model or chunk.get("model")
        self.events += 1
        return True

    def _note_choices(self, choices: list[Any], size: int) -> None:
        content = 0
        for choice in choices:
            if isinstance(choice, dict):
                self.finish_reason = choice.get("finish_reason") or self.finish_reason
                delta = choice.get("delta")
                content += len(str(delta.get("content") or "")) if isinstance(delta, dict) else 0
        if not self._overhead:
            self._overhead = size - content
