"""The Redis stream that usage arrives by, and the one for entries that nobody can read; owns their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import redis as redis_library
import structlog

from billing.conf import DEAD_LETTERS_KEPT, INGEST_BATCH
from billing.data import MalformedUsage, UsageFact
from core.redis import control, key

log = structlog.get_logger(__name__)
_LOOK = 5_000
_DECODER = msgspec.json.Decoder(UsageFact)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream: its id and the field `e` (empty when it has none)."""

    id: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class DeadLetter:
    entry: Entry
    reason: str


def usage_stream() -> str:
    return key("usage")


def dead_stream() -> str:
    return key("usage", "dead")


def read_entries(limit: int = INGEST_BATCH) -> list[Entry]:
    """The oldest entries, in order. What is done with is deleted, so the beginning is always the place to read."""
    rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", control().xrange(usage_stream(), count=limit))
    return [Entry(entry_id, fields.get(b"e", b"")) for entry_id, fields in rows]


def entries_of(tenant_id: str) -> int:
    """How many entries of that tenant wait to be taken in."""
    mine, count, start = tenant_id.encode(), 0, "-"
    while rows := cast("list[tuple[bytes, dict[bytes, bytes]]]", control().xrange(usage_stream(), start, count=_LOOK)):
        count += sum(mine in fields.get(b"e", b"") for _, fields in rows)
        start = f"({rows[-1][0].decode()}"
    return count


def backlog() -> int:
    return control().xlen(usage_stream())


def decode(entries: Sequence[Entry]) -> tuple[list[tuple[Entry, UsageFact]], list[DeadLetter]]:
    """What can be read, and what cannot with the reason."""
    facts: list[tuple[Entry, UsageFact]] = []
    dead: list[DeadLetter] = []
    for entry in entries:
        try:
            facts.append((entry, _read(entry.raw)))
        except MalformedUsage as error:
            dead.append(DeadLetter(entry, str(error)))
    return facts, dead


def _read(raw: bytes) -> UsageFact:
    try:
        return _DECODER.decode(raw).checked()
    except msgspec.MsgspecError:
        return UsageFact.from_json(raw)  # slower, and says which field it is


def bury(letters: Sequence[DeadLetter]) -> None:
    """Keep unreadable entries aside, under their own ids, so that doing it twice keeps them once."""
    for letter in letters:
        log.error("billing.ingest.dead_letter", entry=letter.entry.id.decode(), reason=letter.reason[:200])
        fields: dict[str, bytes | str] = {
            "e": letter.entry.raw,
            "entry": letter.entry.id,
            "reason": letter.reason[:500],
        }
        try:
            _add(letter.entry.id, fields)
        except redis_library.ResponseError:  # that id or a later one is there
            if not control().xrange(dead_stream(), letter.entry.id, letter.entry.id):
                _add(b"*", fields)


def _add(entry_id: bytes, fields: dict[str, bytes | str]) -> None:
    control().xadd(dead_stream(), fields, id=entry_id, maxlen=DEAD_LETTERS_KEPT, approximate=True)  # type: ignore[arg-type]


def delete_entries(entries: Sequence[Entry]) -> None:
    if entries:
        control().xdel(usage_stream(), *(entry.id for entry in entries))
