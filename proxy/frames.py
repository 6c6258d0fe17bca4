"""The words of the chat socket: what a program says and what it hears; pure, owns the format.

A program says, in text frames of JSON:

    {"type": "chat", "id": "<its own word>", "request": {<body of POST /v1/chat/completions>}}
    {"type": "stop", "id": "<the same word>"}

and hears, with that id in each:

    {"type": "chunk", "chunk": {<a chunk as in an event stream>}}      a streamed request, many times
    {"type": "answer", "answer": {<a completion>}}                     a request that is not streamed
    {"type": "error", "status": 429, "error": {<OpenAI's error>}}      instead of the answer, or after chunks
    {"type": "stopped"}                                                after a stop
    {"type": "done"}                                                   last, always, once
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from proxy.errors import RequestRefused

_ID_LIMIT = 64
_DONE = b"[DONE]"


class Said(msgspec.Struct):
    """One frame of a program. `request` stays the bytes it came as, so that it reaches the provider unchanged."""

    type: str
    id: str
    request: msgspec.Raw = msgspec.Raw(b"")


_decoder = msgspec.json.Decoder(Said)


def read(text: str) -> Said:
    """Raises RequestRefused for anything that is not one of the two sayings."""
    try:
        said = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RequestRefused(f"This is not a message: {error}", code="invalid_message") from error
    if said.type not in {"chat", "stop"} or not 0 < len(said.id) <= _ID_LIMIT:
        raise RequestRefused("A message has a type, chat or stop, and an id of 1 to 64 characters", param="type")
    if said.type == "chat" and not bytes(said.request):
        raise RequestRefused("A chat message has a request", param="request")
    return said


def word(identifier: str, kind: str) -> str:
    """A frame that says nothing but its type."""
    return f'{{"id":{_quoted(identifier)},"type":"{kind}"}}'


def carrying(identifier: str, kind: str, content: bytes) -> str:
    """A frame around JSON that is ready: under the name of its type."""
    return f'{{"id":{_quoted(identifier)},"type":"{kind}","{kind}":{content.decode()}}}'


def refusing(identifier: str, status: int, envelope: bytes) -> str:
    """An error frame; `envelope` is {"error": …} as HTTP would carry it."""
    return f'{{"id":{_quoted(identifier)},"type":"error","status":{status},{envelope[1:].decode()}'


def payloads(events: bytes) -> Iterator[bytes]:
    """The JSON inside whole events, without comments and without the end mark."""
    for event in events.split(b"\n\n"):
        values = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
        payload = b"\n".join(values)
        if payload and payload != _DONE:
            yield payload


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
