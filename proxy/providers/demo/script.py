"""What the simulated provider answers, as timed steps; the same for the same request, but for `created`."""

from __future__ import annotations

import base64
import hashlib
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from proxy import estimate
from proxy.errors import ProviderLost
from proxy.providers.base import Order
from proxy.providers.demo.words import answer_words
from proxy.upstream.inbox import Inbox

SLOW_SECONDS = 2.0
EMBEDDING_SIZE = 64


@dataclass(frozen=True, slots=True)
class Step:
    """After `delay` seconds, `play` puts something into the inbox."""

    delay: float
    play: Callable[[Inbox], None]


def steps_for(order: Order, pace: float) -> list[Step]:
    """The script for an order; the model's name says how it behaves."""
    behaviour = _BEHAVIOURS.get(order.model)
    if behaviour is not None:
        return behaviour(order, pace)
    if order.endpoint == "embeddings":
        return [Step(0, partial(_whole, 200, _embeddings(order), {}))]
    return _chat(order, 0.0 if order.model == "demo-fast" else pace)


def _chat(order: Order, pace: float) -> list[Step]:
    if not order.stream:
        return [Step(pace, partial(_whole, 200, _completion(order), {}))]
    chunks = list(_chunks(order))
    return [Step(0, _begin_stream), *(Step(pace, partial(_put, chunk)) for chunk in chunks), Step(0, _end)]


def _refusing(status: int, code: str, headers: Mapping[bytes, bytes]) -> Callable[[Order, float], list[Step]]:
    def script(order: Order, pace: float) -> list[Step]:
        message = f"Simulated {status}: the model {order.model} always answers like this"
        error = {"message": message, "type": code, "param": None, "code": code}
        return [Step(0, partial(_whole, status, orjson.dumps({"error": error}), headers))]

    return script


def _silent(order: Order, pace: float) -> list[Step]:
    return []


def _cut(order: Order, pace: float) -> list[Step]:
    return [Step(0, _begin_stream), *_first_chunks(order, pace), Step(pace, _lose)]


def _malformed(order: Order, pace: float) -> list[Step]:
    torn = b'data: {"id":"chatcmpl-demo","choices":[{"delta":{"cont\n\n'
    return [Step(0, _begin_stream), *_first_chunks(order, pace), Step(pace, partial(_put, torn)), Step(0, _end)]


def _slow(order: Order, pace: float) -> list[Step]:
    return [Step(SLOW_SECONDS, lambda inbox: None), *_chat(order, pace)]


def _first_chunks(order: Order, pace: float) -> list[Step]:
    return [Step(pace, partial(_put, chunk)) for chunk in list(_chunks(order))[:5]]


_BEHAVIOURS: dict[str, Callable[[Order, float], list[Step]]] = {
    "demo-429": _refusing(429, "rate_limit_exceeded", {b"retry-after": b"7"}),
    "demo-500": _refusing(500, "server_error", {}),
    "demo-silence": _silent,
    "demo-cut": _cut,
    "demo-malformed": _malformed,
    "demo-slow": _slow,
}


def _begin_stream(inbox: Inbox) -> None:
    inbox.status = 200
    inbox.headers = [(b"content-type", b"text/event-stream")]


def _put(data: bytes, inbox: Inbox) -> None:
    inbox.put(data)
    inbox.notify()


def _end(inbox: Inbox) -> None:
    inbox.finish()


def _lose(inbox: Inbox) -> None:
    inbox.fail(ProviderLost())


def _whole(status: int, body: bytes, headers: Mapping[bytes, bytes], inbox: Inbox) -> None:
    inbox.status = status
    inbox.headers = [(b"content-type", b"application/json"), *headers.items()]
    inbox.put(body)
    inbox.finish()


def _usage(order: Order, words: list[str]) -> dict[str, int]:
    prompt = estimate.chat_tokens(dict(order.request))
    return {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}


def _words(order: Order) -> tuple[list[str], str]:
    """The answer's words, cut to the request's limit, and the finish reason."""
    words = answer_words(order.model, order.request)
    limit = order.request.get("max_completion_tokens") or order.request.get("max_tokens") or len(words)
    return words[:limit], "length" if limit < len(words) else "stop"


def _head(order: Order, kind: str) -> dict[str, Any]:
    answer_id = f"chatcmpl-{order.request_id.removeprefix('req_')}"
    return {"id": answer_id, "object": kind, "created": int(time.time()), "model": order.model}


def _completion(order: Order) -> bytes:
    words, reason = _words(order)
    message = {"role": "assistant", "content": "".join(words), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return orjson.dumps({**_head(order, "chat.completion"), "choices": [choice], "usage": _usage(order, words)})


def _chunks(order: Order) -> Iterator[bytes]:
    words, reason = _words(order)
    head = _head(order, "chat.completion.chunk")
    yield _event(head, {"role": "assistant", "content": ""}, None)
    for word in words:
        yield _event(head, {"content": word}, None)
    yield _event(head, {}, reason)
    options = order.request.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield b"data: " + orjson.dumps({**head, "choices": [], "usage": _usage(order, words)}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _event(head: dict[str, Any], delta: dict[str, str], reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return b"data: " + orjson.dumps({**head, "choices": [choice]}) + b"\n\n"


def _embeddings(order: Order) -> bytes:
    inputs = order.request.get("input")
    items = inputs if isinstance(inputs, list) and not (inputs and type(inputs[0]) is int) else [inputs]
    packed = order.request.get("encoding_format") == "base64"
    vectors: list[Any] = [_packed(_vector(item)) if packed else _vector(item) for item in items]
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    tokens = estimate.input_tokens(inputs)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return orjson.dumps({"object": "list", "data": data, "model": order.model, "usage": usage})


def _vector(item: Any) -> list[float]:
    """A unit vector that depends on the text only; it carries no meaning."""
    digest = hashlib.shake_256(orjson.dumps(item)).digest(EMBEDDING_SIZE)
    raw = [byte / 127.5 - 1 for byte in digest]
    norm = sum(value * value for value in raw) ** 0.5
    return [value / norm for value in raw]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
