"""Request bodies: decoded once, checked for what the gateway relies on, changed only where they must; no I/O."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import orjson

from proxy.errors import RequestRefused

_NAME_LIMIT = 200
_INPUTS_LIMIT = 2048
_CHOICES_LIMIT = 16
_TOKENS_LIMIT = 10_000_000
_PARTS_LIMIT = 500_000
_ESCAPES_LIMIT = 10_000
_ESCAPED_LETTER = re.compile(rb"\\u00(?:[46][1-9a-fA-F]|[57][0-9aA]|5[fF])")
_RELIED_ON = (b'"model"', b'"stream"', b'"stream_options"', b'"max_tokens"', b'"max_completion_tokens"', b'"n"')
Request = dict[str, Any]


def decode(raw: bytes) -> Request:
    """The JSON object of a body; raises RequestRefused."""
    _check_parts(raw)
    try:
        request = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise RequestRefused(f"The body is not valid JSON: {error}", code="invalid_json") from error
    if not isinstance(request, dict):
        raise RequestRefused("The body must be a JSON object", code="invalid_json")
    model = request.get("model")
    if not isinstance(model, str) or not 0 < len(model) <= _NAME_LIMIT:
        _refuse("model", f"must be a string of 1 to {_NAME_LIMIT} characters")
    return request


def _check_parts(raw: bytes) -> None:
    """Refuses what would take the loop seconds to decode and half a gigabyte to hold: millions of tiny values.

    Commas and brackets inside texts count too; the limit is several times what the longest context of text or code
    has. Images and files are one value each.
    """
    if len(raw) > _PARTS_LIMIT and raw.count(b",") + raw.count(b"[") + raw.count(b"{") > _PARTS_LIMIT:
        raise RequestRefused(f"The body may have at most {_PARTS_LIMIT} values", code="request_too_complex")


def check_chat(request: Request) -> None:
    """Raises RequestRefused with `param` for what the gateway itself relies on; the rest is the provider's to judge."""
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        _refuse("messages", "must be a list with at least one message")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            _refuse(f"messages[{index}]", "must be an object with a role")
    if not isinstance(request.get("stream"), bool | None):
        _refuse("stream", "must be true or false")
    if not isinstance(request.get("stream_options"), dict | None):
        _refuse("stream_options", "must be an object")
    _check_number(request, "n", _CHOICES_LIMIT)
    _check_number(request, "max_tokens", _TOKENS_LIMIT)
    _check_number(request, "max_completion_tokens", _TOKENS_LIMIT)


def check_embeddings(request: Request) -> None:
    """Raises RequestRefused with `param`."""
    inputs = request.get("input")
    if not isinstance(inputs, str | list) or not inputs:
        _refuse("input", "must be a text, a list of token ids, or a list of either")
    if isinstance(inputs, list) and type(inputs[0]) is not int and len(inputs) > _INPUTS_LIMIT:
        _refuse("input", f"must have at most {_INPUTS_LIMIT} entries")


def wants_usage(request: Request) -> bool:
    options = request.get("stream_options")
    return bool(options and options.get("include_usage"))


def changed(raw: bytes, request: Request, changes: Request) -> bytes:
    """The body with `changes` in it; the same bytes when there are none.

    A single new field is put in front of the closing brace. Anything else is encoded anew, because two fields of
    one name mean different things to different parsers: what was checked here must be what the provider reads.
    """
    is_clear = not _may_repeat_names(raw)
    if not changes and is_clear:
        return raw
    is_new = is_clear and not any(name in request for name in changes)
    request.update(changes)
    if is_new:
        return raw.rstrip()[:-1] + b"," + orjson.dumps(changes)[1:]
    return encode(request)


def _may_repeat_names(raw: bytes) -> bool:
    """Whether a field that the gateway relies on could stand twice, also in escaped letters; wrong only towards yes."""
    if raw.count(b"\\u00") > _ESCAPES_LIMIT:
        return True  # to look at each would take longer than to encode the body anew
    return _ESCAPED_LETTER.search(raw) is not None or any(raw.count(name) > 1 for name in _RELIED_ON)


def encode(request: Request) -> bytes:
    """Raises RequestRefused for what is nested deeper than can be written."""
    try:
        return orjson.dumps(request)
    except orjson.JSONEncodeError as error:
        raise RequestRefused("The body is nested too deeply", code="invalid_json") from error


def _check_number(request: Request, name: str, most: int) -> None:
    value = request.get(name)
    if value is not None and (type(value) is not int or not 1 <= value <= most):
        _refuse(name, f"must be a whole number from 1 to {most}")


def _refuse(param: str, reason: str) -> NoReturn:
    raise RequestRefused(f"{param} {reason}", param=param, code="invalid_value")
