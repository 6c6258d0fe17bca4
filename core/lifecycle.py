"""Which rooms take part when a tenant's life turns; owns the list, knows no room and no tenant's data.

`tenants` runs the parts as recorded steps of a job. A part is told the tenant's id, may run many times with the same
end, and answers with one sentence of what it found. Where it must wait for something it raises NotYet.
When a life begins the parts run from the ground floor up, when it stops or ends from the roof down: whoever builds on
another room is there later, and gone before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Moment(StrEnum):
    """A turn in a tenant's life. BORN and STARTED: it may work; STOPPED: it may not; GONE: it leaves nothing."""

    BORN = "born"
    STARTED = "started"
    STOPPED = "stopped"
    GONE = "gone"


class NotYet(Exception):
    """The step waits for something else; `seconds` until it is worth asking again."""

    def __init__(self, why: str, *, seconds: float = 1.0) -> None:
        super().__init__(why)
        self.seconds = seconds


PartFunction = Callable[[str, datetime], str]


@dataclass(frozen=True, slots=True)
class Part:
    """What one room does at a moment; `name` is the room's and names the step."""

    name: str
    run: PartFunction


_parts: dict[Moment, list[Part]] = {moment: [] for moment in Moment}


def takes_part(moment: Moment, name: str) -> Callable[[PartFunction], PartFunction]:
    """Decorator: `function(tenant_id, now)` is that room's step at that moment. Raises ValueError for a taken name."""

    def register(function: PartFunction) -> PartFunction:
        if any(part.name == name for part in _parts[moment]):
            raise ValueError(f"{name} takes part in {moment} already")
        _parts[moment].append(Part(name, function))
        return function

    return register


def parts_of(moment: Moment) -> tuple[Part, ...]:
    """Everybody who takes part, in the order in which they do."""
    upwards = moment in (Moment.BORN, Moment.STARTED)
    return tuple(_parts[moment] if upwards else reversed(_parts[moment]))


_kept: dict[str, str] = {}


def keeps(table: str, reason: str) -> None:
    """Say that rows of this shared table outlive their tenant, and which duty wants that.

    Whatever else has a `tenant_id` is deleted with the tenant, so a new table is forgotten to be kept, never to be
    emptied. A kept row names its tenant and its people by ids only: what else the audit log says of them stands apart,
    in a table that is emptied. Raises ValueError for a table that is named already.
    """
    if table in _kept:
        raise ValueError(f"{table} is kept already")
    _kept[table] = reason


def kept_tables() -> Mapping[str, str]:
    """Table to reason, of everything that is kept."""
    return dict(_kept)
