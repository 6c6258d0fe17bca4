"""How many tokens a request is worth before anybody counted; pure, errs on the high side.

Rules of thumb by script class for byte-pair vocabularies of about 100,000 to 200,000 entries: four characters of
ASCII a token, two of other alphabets (two bytes in UTF-8), one of Chinese, Japanese and Korean (three bytes), and
three tokens for an emoji (four bytes). Classes are counted from lengths alone, in C.
"""

from __future__ import annotations

from typing import Any

import orjson

MESSAGE_TOKENS = 4
IMAGE_TOKENS = 1_600
FILE_TOKENS = 4_000
AUDIO_BYTES_PER_TOKEN = 400
INPUT_DEPTH = 2
_IMAGE_KINDS = ("image_url", "input_image", "image")  # compared, not hashed: a caller may send any value as the type


def text_tokens(text: str) -> int:
    """Estimated tokens of a text, rounded up."""
    length = len(text)
    if text.isascii():
        return (length + 3) // 4
    ascii_part = len(text.encode("ascii", "ignore"))
    astral = len(text.encode("utf-16-le", "surrogatepass")) // 2 - length
    others = length - ascii_part - astral
    three_bytes = len(text.encode("utf-8", "surrogatepass")) - ascii_part - 4 * astral - 2 * others
    return (ascii_part + 3) // 4 + (others - three_bytes + 1) // 2 + three_bytes + 3 * astral


def chat_tokens(request: dict[str, Any]) -> int:
    """Estimated input tokens of a chat request: messages, tools and schemas."""
    total = 3
    for message in request["messages"]:
        total += MESSAGE_TOKENS + _message_tokens(message)
    for name in ("tools", "functions", "response_format"):
        if request.get(name):
            total += len(orjson.dumps(request[name])) // 3
    return total


def input_tokens(inputs: Any, depth: int = INPUT_DEPTH) -> int:
    """Estimated tokens of an embeddings input: text, token ids, or lists of either; anything else by its size."""
    if isinstance(inputs, str):
        return max(1, text_tokens(inputs))
    if isinstance(inputs, list) and depth:
        return sum(1 if type(item) is int else input_tokens(item, depth - 1) for item in inputs)
    return max(1, len(orjson.dumps(inputs)) // 3)


def _message_tokens(message: dict[str, Any]) -> int:
    total = 0
    for name, value in message.items():
        if name == "content" and isinstance(value, list):
            total += sum(_part_tokens(part) for part in value)
        elif isinstance(value, str):
            total += text_tokens(value)
        elif value:
            total += len(orjson.dumps(value)) // 3
    return total


def _part_tokens(part: Any) -> int:
    if not isinstance(part, dict):
        return text_tokens(str(part))
    kind = part.get("type")
    if kind in _IMAGE_KINDS:
        return IMAGE_TOKENS
    if kind == "input_audio":
        audio = part.get("input_audio")
        data = audio.get("data") if isinstance(audio, dict) else None
        return len(data) // AUDIO_BYTES_PER_TOKEN + 1 if isinstance(data, str) else FILE_TOKENS
    if kind == "file":
        return FILE_TOKENS
    text = part.get("text")
    return text_tokens(text) if isinstance(text, str) else len(orjson.dumps(part)) // 3
