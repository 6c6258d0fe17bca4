"""Bodies that a hostile tenant sends to hold up everybody else, or to make the gateway fail instead of refuse."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest

from proxy import body, estimate, frames
from proxy.errors import RequestRefused

DEEP = b"[" * 100_000 + b"]" * 100_000


def chat(content: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'{"a":1},', b'"ab",', b"1000,"])
def test_millions_of_tiny_values_are_refused_before_they_are_decoded(unit: bytes) -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"x"}],"x":[' + unit * 1_000_000 + b"1]}"
    began = time.perf_counter()
    with pytest.raises(RequestRefused) as refused:
        body.decode(raw)
    assert refused.value.code == "request_too_complex"
    assert time.perf_counter() - began < 1


def test_a_large_body_of_few_values_is_served() -> None:
    image = "A" * 15_000_000
    text = "Some prose, with a comma now and then. " * 50_000
    raw = orjson.dumps({**chat(text), "image": image})
    assert body.decode(raw)["image"] == image


def test_a_body_of_escaped_digits_alone_does_not_hold_up_the_loop() -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"' + b"\\u0030" * 3_000_000 + b'"}]}'
    request = body.decode(raw)
    began = time.process_time()
    assert orjson.loads(body.changed(raw, request, {})) == request
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize("kind", [["image_url"], {"a": 1}, None, 5, True])
def test_a_content_part_may_have_any_type(kind: Any) -> None:
    assert estimate.chat_tokens(chat([{"type": kind, "text": "hello"}])) > 0


def test_an_embeddings_input_may_be_nested_as_deeply_as_the_parser_reads() -> None:
    nested = orjson.loads(b"[" * 200 + b"1" + b"]" * 200)
    assert estimate.input_tokens(nested) > 0
    with pytest.raises(orjson.JSONEncodeError):
        estimate.input_tokens(orjson.loads(b"[" * 900 + b"]" * 900))


def test_a_frame_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(RequestRefused):
        frames.read('{"type":"chat","id":"a","request":' + DEEP.decode() + "}")
