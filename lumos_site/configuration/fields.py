"""Typed access to the fields of one map: each reader notes its own mistake and lets the reading go on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

import yaml

from lumos_site.configuration.marks import Place, Source

_CORE = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"-?[0-9][0-9_]*")
_NUMBER = re.compile(r"-?[0-9][0-9_]*(\.[0-9_]+)?([eE][-+]?[0-9]{1,2})?")
Choice = TypeVar("Choice", bound=StrEnum)
Entry = TypeVar("Entry")


class Fields:
    """One map of the file. Getters answer None for what is not mentioned or is a mistake."""

    def __init__(
        self, source: Source, node: yaml.Node, path: str, known: Iterable[str], *, ignored: str | None = None
    ) -> None:
        """`known` are the names that may be here; names that start with `ignored` may too, and mean nothing."""
        self.source = source
        self.path = path
        self.place: Place = source.place(node)
        self._node = node
        known = tuple(known)
        self._values: dict[str, yaml.Node] = {}
        for name, key, value in source.pairs(node, path):
            if name in known:
                self._values[name] = value
            elif ignored is None or not name.startswith(ignored):
                source.mistake(key, self._path(name), f"is not known here{_suggestion(name, known)}")

    def _path(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return name in self._values

    def node(self, name: str) -> yaml.Node | None:
        """What stands behind a name, for what may be said in more than one form."""
        return self._values.get(name)

    def place_of(self, name: str) -> Place:
        return self.source.place(self._values.get(name, self._node))

    def mistake(self, name: str, message: str) -> None:
        """Note what is wrong with a field, at the field, or at the map when it is missing."""
        self.source.mistake(self._values.get(name, self._node), self._path(name) if name else self.path, message)

    def require(self, *names: str) -> None:
        for name in names:
            if name not in self._values:
                self.source.mistake(self._node, self._path(name), "is missing")

    def _scalar(self, name: str, tags: tuple[str, ...], wanted: str) -> yaml.ScalarNode | None:
        node = self._values.get(name)
        if node is None:
            return None
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_CORE) in tags:
            return node
        self.mistake(name, f"must be {wanted}")
        return None

    def text(self, name: str, *, longest: int = 300) -> str | None:
        """Text as it stands there, so that `1.0` and `2026-01-01` need no quotes."""
        node = self._scalar(name, ("str", "int", "float", "timestamp"), "text")
        if node is not None and not 1 <= len(node.value.strip()) <= longest:
            self.mistake(name, f"must have 1 to {longest} characters")
            return None
        return str(node.value).strip() if node is not None else None

    def word(self, name: str) -> str | None:
        """Text in lower case, without complaining when it is something else."""
        node = self._values.get(name)
        return str(node.value).strip().lower() if isinstance(node, yaml.ScalarNode) else None

    def raw(self, name: str) -> str:
        """The text of a scalar as it stands, "" where it is none."""
        node = self._values.get(name)
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""

    def flag(self, name: str) -> bool | None:
        node = self._scalar(name, ("bool",), "true or false")
        return None if node is None else node.value.lower() in ("true", "yes", "on")

    def whole(self, name: str, *, least: int = 0, most: int = 10**15) -> int | None:
        node = self._scalar(name, ("int", "str"), "a whole number")
        if node is None:
            return None
        if _WHOLE.fullmatch(node.value) is None or not least <= int(node.value) <= most:
            self.mistake(name, f"must be a whole number from {least} to {most}")
            return None
        return int(node.value)

    def number(self, name: str) -> Decimal | None:
        """An exact decimal of zero or more; the digits in the file are taken as they stand, never as a float."""
        node = self._scalar(name, ("int", "float", "str"), "a number")
        if node is None:
            return None
        try:
            value = Decimal(node.value.replace("_", "")) if _NUMBER.fullmatch(node.value) else Decimal(-1)
        except InvalidOperation:
            value = Decimal(-1)
        if value < 0:
            self.mistake(name, "must be a number of 0 or more, such as 0.15")
            return None
        return value

    def choice(self, name: str, choices: type[Choice]) -> Choice | None:
        """One member of an enum, written in any case."""
        text = self.text(name)
        if text is None:
            return None
        members = {member.value.lower(): member for member in choices}
        if text.lower() not in members:
            allowed = ", ".join(member.value for member in choices)
            self.mistake(name, f"must be one of {allowed}{_suggestion(text.lower(), tuple(members))}")
            return None
        return members[text.lower()]

    def names(self, name: str) -> tuple[str, ...] | None:
        """A list of texts without repetition."""
        node = self._values.get(name)
        if node is None:
            return None
        if not isinstance(node, yaml.SequenceNode):
            self.mistake(name, "must be a list")
            return None
        for item in node.value:
            if not isinstance(item, yaml.ScalarNode) or not item.value.strip():
                self.source.mistake(item, self._path(name), "must be a list of texts")
                return None
        return tuple(dict.fromkeys(item.value.strip() for item in node.value))

    def currency(self) -> str | None:
        """An ISO 4217 code from the field `currency`."""
        text = self.text("currency")
        if text is not None and re.fullmatch("[A-Z]{3}", text) is None:
            self.mistake("currency", "must be three capital letters, such as EUR")
            return None
        return text

    def is_list(self, name: str) -> bool:
        return isinstance(self._values.get(name), yaml.SequenceNode)

    def each(self, name: str, read: Callable[[Source, yaml.Node, str], Entry]) -> tuple[Entry, ...]:
        """The one entry of a field, read by `read`, or nothing when it is not mentioned."""
        node = self._values.get(name)
        return () if node is None else (read(self.source, _as_map(node), self._path(name)),)

    def listed(self, name: str, read: Callable[[Source, yaml.Node, str], Entry]) -> tuple[Entry, ...]:
        """Each item of a list, read by `read`."""
        node = self._values.get(name)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.mistake(name, "must be a list")
            return ()
        return tuple(read(self.source, item, f"{self._path(name)}[{number}]") for number, item in enumerate(node.value))

    def named(self, name: str, read: Callable[[str, Source, yaml.Node, str], Entry]) -> tuple[Entry, ...]:
        """Each entry of a map of names, read by `read(name, source, node, path)`. An empty value is an empty map."""
        node = self._values.get(name)
        if node is None or _is_null(node):
            return ()
        return tuple(
            read(key, self.source, _as_map(value), f"{self._path(name)}.{key}")
            for key, _, value in self.source.pairs(node, self._path(name))
        )


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _CORE + "null")


def _as_map(node: yaml.Node) -> yaml.Node:
    """`production:` with nothing behind it stands for a map with nothing in it."""
    if _is_null(node):
        return yaml.MappingNode(_CORE + "map", [], node.start_mark, node.end_mark)
    return node


def _suggestion(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; choose from {', '.join(sorted(known))}" if len(known) <= 12 else ""
