"""What of an entry may name somebody, and how it is kept apart from the entry, so that it can go; pure.

reference = "name-v1:" HMAC-SHA256(key of the entry, value as JSON, keys sorted, no spaces, UTF-8)

The row has the reference, and another row the key and the value. With both, anybody can check that the one belongs to
the other; once they are gone nobody can, for the key was 256 random bits and this entry's alone (ADR 0015).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from audit.concealment import conceal_value
from audit.data import Personal

TEXTS = ("actor_label", "target", "reason")
FACTS = ("before", "after", "detail")
_REFERENCE = re.compile(r"name-v1:[0-9a-f]{64}")


def reference_of(key: str, value: Any) -> str:
    """What stands in the entry for `value`; `key` is hexadecimal."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"name-v1:{hmac.new(bytes.fromhex(key), text.encode(), hashlib.sha256).hexdigest()}"


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


@dataclass(slots=True)
class Taken:
    """What was taken out of one entry: its `texts` by field, and whatever else by reference."""

    key: str = field(default_factory=lambda: secrets.token_hex(32))
    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.texts or self.values)

    def text(self, name: str, text: str) -> str:
        """The reference that stands in that field; an empty text names nobody."""
        if not text:
            return text
        self.texts[name] = text
        return reference_of(self.key, text)

    def facts(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The facts with each Personal value in them replaced by its reference."""
        return {str(name): self._fact(value) for name, value in facts.items()}

    def _fact(self, value: Any) -> Any:
        if isinstance(value, Personal):
            return self._personal(value.value)
        if isinstance(value, Mapping):
            return self.facts(value)
        if isinstance(value, list | tuple):
            return [self._fact(each) for each in value]
        return value

    def _personal(self, value: Any) -> Any:
        if value in (None, "", [], {}):
            return value
        stored = json.loads(json.dumps(conceal_value(value), cls=DjangoJSONEncoder))
        reference = reference_of(self.key, stored)
        self.values[reference] = stored
        return reference


def put_back(value: Any, values: Mapping[str, Any], *, gone: str | None = None) -> Any:
    """`value` with each reference in it replaced by what it stands for, or by `gone` where nobody knows any more."""
    if is_reference(value):
        return values.get(value, value if gone is None else gone)
    if isinstance(value, Mapping):
        return {name: put_back(each, values, gone=gone) for name, each in value.items()}
    if isinstance(value, list):
        return [put_back(each, values, gone=gone) for each in value]
    return value


def are_its_names(content: Mapping[str, Any], names: Mapping[str, Any]) -> bool:
    """Whether `names` (key, the texts by field, values) are those with which the entry was written."""
    try:
        key, values = str(names["key"]), names["values"]
        texts = [name for name in TEXTS if names[name]]
        there = set(_references(content))
        return all(content[name] == reference_of(key, names[name]) for name in texts) and all(
            reference in there and reference == reference_of(key, value) for reference, value in values.items()
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _references(value: Any) -> Iterator[str]:
    if is_reference(value):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
