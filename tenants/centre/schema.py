"""Whether a JSON value fits a schema; pure. The part of JSON Schema (2020-12) that settings use, and no more.

The library that knows all of it takes half a second to load in every process; a test holds this one to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Complaints = Iterator[tuple[str, str]]
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int or (type(value) is float and value.is_integer()),
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
KNOWN = frozenset(
    {"type", "enum", "maxLength", "minimum", "maximum", "items", "maxItems", "uniqueItems"}
    | {"properties", "required", "additionalProperties"}
)


def complaints(schema: Mapping[str, Any], value: Any, place: str = "") -> Complaints:
    """Each thing that does not fit, with its place as a JSON pointer. Raises KeyError for an unknown word."""
    if unknown := set(schema) - KNOWN:
        raise KeyError(f"settings do not use {unknown}")
    kind = schema["type"]
    if not _TYPES[kind](value):
        yield place, f"must be of the type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield place, f"must be one of {', '.join(schema['enum'])}"
    yield from _INSIDE.get(kind, _nothing)(schema, value, place)


def _nothing(schema: Mapping[str, Any], value: Any, place: str) -> Complaints:
    return iter(())


def _string(schema: Mapping[str, Any], value: str, place: str) -> Complaints:
    if len(value) > schema.get("maxLength", len(value)):
        yield place, f"may have {schema['maxLength']} characters at most"


def _integer(schema: Mapping[str, Any], value: int, place: str) -> Complaints:
    if value < schema.get("minimum", value):
        yield place, f"must be {schema['minimum']} at least"
    if value > schema.get("maximum", value):
        yield place, f"must be {schema['maximum']} at most"


def _array(schema: Mapping[str, Any], value: list[Any], place: str) -> Complaints:
    if len(value) > schema.get("maxItems", len(value)):
        yield place, f"may have {schema['maxItems']} entries at most"
    if schema.get("uniqueItems") and any(value[n] in value[:n] for n in range(len(value))):
        yield place, "names something twice"
    for number, each in enumerate(value):
        yield from complaints(schema["items"], each, f"{place}/{number}")


def _object(schema: Mapping[str, Any], value: dict[str, Any], place: str) -> Complaints:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield place, f"lacks {name}"
    for name, each in value.items():
        if name in known:
            yield from complaints(known[name], each, f"{place}/{name}")
        elif not schema.get("additionalProperties", True):
            yield place, f"has no {name}"


_INSIDE: Mapping[str, Callable[[Mapping[str, Any], Any, str], Complaints]] = {
    "string": _string,
    "integer": _integer,
    "array": _array,
    "object": _object,
}
