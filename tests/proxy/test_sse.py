"""Scanning of event streams: what is handed on never depends on how the bytes were cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ProviderMalformed
from proxy.streaming.sse import LINE_LIMIT, SseScanner
from proxy.streaming.usage import TokenUsage
from tests.proxy.fakeserver import chunk_of, usage_chunk


def event(content: Any, compact: bool = True) -> bytes:
    separators = (",", ":") if compact else (", ", ": ")
    return b"data: " + json.dumps(content, separators=separators, ensure_ascii=False).encode() + b"\n\n"


CHUNKS = [
    event(chunk_of("Grüße 你好 🙂 ")),
    event(chunk_of("two ")),
    event(chunk_of("three ")),
    event(chunk_of(" four")),
]
FINISH = event(chunk_of("", finish="stop"))
USAGE = event(usage_chunk(11, 4, cached=3))
DONE = b"data: [DONE]\n\n"
STREAM = b": hello\n\n" + b"".join(CHUNKS) + FINISH + USAGE + DONE


def run(parts: list[bytes], keep_usage: bool = False) -> tuple[bytes, SseScanner]:
    scanner = SseScanner(keep_usage=keep_usage)
    return b"".join(scanner.feed(part) for part in parts), scanner


def test_events_pass_and_the_usage_that_nobody_asked_for_stays_back() -> None:
    out, scanner = run([STREAM])
    assert out == b": hello\n\n" + b"".join(CHUNKS) + FINISH
    assert scanner.usage == TokenUsage(11, 3, 4)
    assert (scanner.done, scanner.finish_reason, scanner.model, scanner.events) == (True, "stop", "up-1", 5)


def test_usage_passes_when_it_was_asked_for() -> None:
    out, _ = run([STREAM], keep_usage=True)
    assert out.endswith(FINISH + USAGE)


def test_a_cut_at_any_byte_changes_nothing() -> None:
    whole, _ = run([STREAM])
    for cut in range(1, len(STREAM)):
        out, scanner = run([STREAM[:cut], STREAM[cut:]])
        assert out == whole, cut
        assert scanner.usage == TokenUsage(11, 3, 4)
        assert scanner.events == 5


def test_single_bytes_and_windows_line_ends_change_nothing() -> None:
    whole, _ = run([STREAM])
    windows = STREAM.replace(b"\n", b"\r\n")
    for source in (STREAM, windows):
        out, scanner = run([source[i : i + 1] for i in range(len(source))])
        assert out == whole
        assert scanner.done
    assert run([windows])[0] == whole


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cuts_change_nothing(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    parts = [STREAM[a:b] for a, b in pairwise(edges) if a < b]
    out, scanner = run(parts)
    assert out == run([STREAM])[0]
    assert scanner.usage == TokenUsage(11, 3, 4)


def test_spaces_in_json_hide_nothing() -> None:
    spaced = [event(chunk_of(f"w{i}"), compact=False) for i in range(3)]
    spaced += [event(chunk_of("", finish="length"), compact=False), event(usage_chunk(5, 3), compact=False)]
    _, scanner = run(spaced)
    assert scanner.finish_reason == "length"
    assert scanner.usage == TokenUsage(5, 0, 3)


def test_usage_that_comes_with_every_chunk_counts_once_the_last_wins() -> None:
    parts = [event({**chunk_of(f"w{i}"), "usage": {"prompt_tokens": 9, "completion_tokens": i + 1}}) for i in range(4)]
    out, scanner = run([*parts, DONE])
    assert out == b"".join(parts)
    assert scanner.usage == TokenUsage(9, 0, 4)


def test_a_comment_between_the_events_of_one_read_is_handed_on_and_is_no_event() -> None:
    read = CHUNKS[1] + b": ping\n\n" + CHUNKS[2]
    out, scanner = run([CHUNKS[0], read, FINISH, DONE])
    assert out == CHUNKS[0] + read + FINISH
    assert scanner.events == 4


def test_words_of_the_protocol_inside_text_are_only_text() -> None:
    tricky = [event(chunk_of(f'say "usage":{{}} and "error": {i} data: {{ [DONE]')) for i in range(4)]
    out, scanner = run([*tricky, FINISH, DONE])
    assert out == b"".join(tricky) + FINISH
    assert scanner.usage is None
    assert scanner.error is None


def test_an_error_event_is_kept_back_and_told() -> None:
    out, scanner = run([CHUNKS[0], event({"error": {"message": "boom", "code": 429}}) + CHUNKS[1]])
    assert out == CHUNKS[0]
    assert scanner.error == {"message": "boom", "code": 429}
    assert run([event({"error": "plain"})])[1].error == {"message": "plain"}


@pytest.mark.parametrize(
    "data",
    [
        b"<html><body>502</body></html>\n\n",
        b'{"choices":[]}\n\n',
        b'data: {"choices":[{"delta":{"cont\n\n',
        b"data: [1,2]\n\n",
        b"data: nothing\n\n",
    ],
)
def test_what_is_no_event_stream_is_the_providers_fault(data: bytes) -> None:
    with pytest.raises(ProviderMalformed):
        run([data])
    with pytest.raises(ProviderMalformed):
        run([*CHUNKS, data])


def test_an_endless_line_is_the_providers_fault() -> None:
    scanner = SseScanner(keep_usage=False)
    with pytest.raises(ProviderMalformed):
        for _ in range(LINE_LIMIT // 1000 + 2):
            scanner.feed(b"data: " + b"x" * 1000)


def test_an_end_inside_an_event_is_the_providers_fault() -> None:
    _, scanner = run([CHUNKS[0][:-1]])
    with pytest.raises(ProviderMalformed):
        scanner.close()
    _, clean = run([*CHUNKS, b"\n"])
    clean.close()


def test_events_of_several_lines_are_one_payload() -> None:
    text = b'event: message\nid: 7\nretry: 10\ndata: {"choices":\ndata: [{"delta":{},"finish_reason":"stop"}]}\n\n'
    out, scanner = run([text])
    assert out == text
    assert scanner.finish_reason == "stop"


def test_tokens_are_estimated_from_what_was_passed_on() -> None:
    one_a_chunk = [event(chunk_of("to")) for _ in range(40)]
    _, scanner = run(one_a_chunk)
    assert 39 <= scanner.seen_tokens <= 41
    big = [event(chunk_of("some words and more " * 20)) for _ in range(3)]
    _, scanner = run(big)
    assert 250 <= scanner.seen_tokens <= 350
    assert SseScanner(keep_usage=False).seen_tokens == 0
