"""YAML as nodes that know their line: composes safely, flattens merges, refuses duplicates; builds no objects.

Nothing in a file is ever constructed or executed: PyYAML only composes the tree, and a tag other than YAML's own
scalars, lists and maps is a mistake like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from core.errors import InvalidInput

_CORE = "tag:yaml.org,2002:"
_PLAIN = frozenset(_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq", "merge", "timestamp"))
_MERGE = _CORE + "merge"
SIZE_LIMIT = 4 * 1024 * 1024
_MERGE_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one field; `path` is like `tenants.acme.limits`."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.path}: {self.message}" if self.path else f"{self.place}: {self.message}"


class ConfigurationRefused(InvalidInput):
    """Every mistake that was found, in the order of the file."""

    code = "configuration_refused"
    title = "The configuration has mistakes; nothing was changed"

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = sorted(mistakes, key=lambda mistake: (mistake.place.line, mistake.place.column))
        fields: dict[str, list[str]] = {}
        for mistake in self.mistakes:
            fields.setdefault(mistake.path or "file", []).append(f"{mistake.place}: {mistake.message}")
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes), fields=fields)


@dataclass(slots=True)
class Source:
    """One file being read, and the mistakes found so far."""

    file: str
    mistakes: list[Mistake]

    def place(self, node: yaml.Node) -> Place:
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def mistake(self, node: yaml.Node, path: str, message: str) -> None:
        self.mistakes.append(Mistake(self.place(node), path, message))

    def pairs(self, node: yaml.Node, path: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """(key, its node, value) of a map, merged maps included; notes non-text and duplicate keys as mistakes."""
        if not isinstance(node, yaml.MappingNode):
            self.mistake(node, path, "must be a map of names to values")
            return
        seen: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self.mistake(key, path, "a name must be plain text")
            elif key.value in seen:
                first = seen[key.value].start_mark.line + 1
                self.mistake(key, _under(path, key.value), f"is given twice; first in line {first}")
            else:
                seen[key.value] = key
                yield key.value, key, value
        for name, key, value in self._merged(node, path, 0):
            if name not in seen:
                seen[name] = key
                yield name, key, value

    def _merged(self, node: yaml.MappingNode, path: str, depth: int) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """What `<<` brings in, nearest first."""
        sources = [value for key, value in node.value if key.tag == _MERGE]
        if sources and depth == _MERGE_DEPTH:
            self.mistake(node, path, "merges too deeply, or itself")
            return
        for value in sources:
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if not isinstance(source, yaml.MappingNode):
                    self.mistake(source, path, "only maps can be merged with <<")
                    continue
                for key, inner in source.value:
                    if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                        yield key.value, key, inner
                yield from self._merged(source, path, depth + 1)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def compose(text: str, source: Source) -> yaml.Node | None:
    """The root node of the only document in `text`; None of an empty one. Raises ConfigurationRefused."""
    if len(text) > SIZE_LIMIT:
        raise ConfigurationRefused([Mistake(Place(source.file, 1, 1), "", f"is larger than {SIZE_LIMIT} characters")])
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(source.file, mark.line + 1, mark.column + 1) if mark else Place(source.file, 1, 1)
        message = "; ".join(filter(None, (error.context, error.problem)))
        raise ConfigurationRefused([Mistake(place, "", f"is not valid YAML: {message}")]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationRefused([Mistake(Place(source.file, 1, 1), "", f"is not valid YAML: {error}")]) from error
    if root is not None:
        _refuse_tags(root, source)
    return root


def _refuse_tags(root: yaml.Node, source: Source) -> None:
    """Visits each node once, whatever the anchors multiply."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if node.tag not in _PLAIN:
            source.mistake(node, "", f"the tag {node.tag} is not allowed here; write plain values")
        children = node.value if isinstance(node, yaml.CollectionNode) else []
        for child in (part for pair in children for part in (pair if isinstance(pair, tuple) else (pair,))):
            if id(child) not in seen:
                seen.add(id(child))
                waiting.append(child)
