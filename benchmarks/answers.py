"""What the fake provider says, as bytes made once per behaviour; owns the wire format, knows no connection."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import orjson

PROMPT_TOKENS = 12
TAIL_EVENTS = 2  # the finish reason and [DONE]; a usage chunk besides when it was asked for
_NAME = re.compile(r".*?-(\d+)(?:x(\d+))?")
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nx-request-id: bench\r\n"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How to answer: this many chunks, and this many milliseconds between two of them (0: back to back)."""

    chunks: int = 16
    pace_ms: int = 0


@lru_cache(maxsize=256)
def behaviour_of(model: str) -> Behaviour:
    """What a model's name asks for: `bench-200x10` is 200 chunks 10 ms apart, `bench-200` 200 back to back."""
    match = _NAME.fullmatch(model)
    return Behaviour(int(match[1]), int(match[2] or 0)) if match else Behaviour()


def framed(event: bytes) -> bytes:
    """One server-sent event as one HTTP chunk, which is how providers send them."""
    return b"%x\r\n%s\r\n" % (len(event), event)


def _event(choices: list[dict[str, object]], usage: dict[str, int] | None = None) -> bytes:
    chunk: dict[str, object] = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "bench",
        "system_fingerprint": "fp_0000000000",
        "choices": choices,
    }
    if usage is not None:
        chunk["usage"] = usage
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _usage(chunks: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": chunks, "total_tokens": PROMPT_TOKENS + chunks}


STREAM_HEAD = _HEAD % b"text/event-stream; charset=utf-8" + b"transfer-encoding: chunked\r\n\r\n"
CHUNK = framed(_event([{"index": 0, "delta": {"content": " token"}, "logprobs": None, "finish_reason": None}]))


@lru_cache(maxsize=256)
def stream_tail(chunks: int, with_usage: bool) -> bytes:
    """Everything after the last content chunk, to the end of the HTTP message."""
    events = [_event([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}])]
    if with_usage:
        events.append(_event([], _usage(chunks)))
    events.append(b"data: [DONE]\n\n")
    return b"".join(map(framed, events)) + b"0\r\n\r\n"


@lru_cache(maxsize=256)
def whole_answer(chunks: int) -> bytes:
    """A complete answer that is not streamed, with as many output tokens as the stream would have chunks."""
    body = orjson.dumps(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "bench",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": " token" * chunks},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": _usage(chunks),
        }
    )
    return _HEAD % b"application/json" + b"content-length: %d\r\n\r\n" % len(body) + body


def plain(status: bytes, document: object) -> bytes:
    body = orjson.dumps(document)
    return b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (status, len(body), body)
