"""A chain as JSON lines for somebody else to keep and to check: each link with its entry, and the signed head last.

`check_lines` needs no database: the lines and a public key that was received on another way are enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from audit.chain.links import GENESIS, PLATFORM, content_of
from audit.chain.sealing import entries_of
from audit.chain.signing import has_valid_signature, public_keys
from audit.chain.walk import Link, Walk
from audit.chain.witness import head_line, head_of
from audit.data import Actor, ChainFault, ChainReport, FaultKind, SignedHead
from audit.models import AuditLink, ChainHead
from audit.selectors import names_of
from audit.services import record
from core.errors import InvalidInput, NotFound

_BATCH = 1_000
LONGEST_PART = 20_000


def export_chain(chain: str, *, after: int = 0, most: int | None = None) -> Iterator[str]:
    """The lines of a chain, from the link behind `after` to its head. Raises NotFound for a chain without links.

    With `most`, at most so many links; when the head is further away the last line is of type `more` and names the
    number to go on after. Parts written behind one another make one export.
    """
    head = ChainHead.objects.filter(pk=chain).first()
    if head is None:
        raise NotFound(f"There is no chain {chain}")
    previous = AuditLink.objects.filter(chain=chain, sequence=after).values_list("hash", flat=True).first()
    start = {"chain": chain, "after": after, "hash": previous or GENESIS}
    yield json.dumps({"type": "start", **start})
    sequence, last = after, head.sequence if most is None else min(head.sequence, after + most)
    while sequence < last:
        rows = AuditLink.objects.filter(chain=chain, sequence__gt=sequence, sequence__lte=last)
        batch = list(rows.order_by("sequence")[:_BATCH])
        yield from _lines(batch)
        sequence = batch[-1].sequence if batch else last
    if last < head.sequence:
        yield json.dumps({"type": "more", "after": last})
        return
    yield json.dumps({**json.loads(head_line(head.signed)), "public_key": public_keys().get(head.key_id, "")})


def export_part(chain: str, *, acting: Actor, after: int = 0) -> list[str]:
    """At most LONGEST_PART links as lines, and a note in the log that they were taken. Raises NotFound."""
    lines = list(export_chain(chain, after=after, most=LONGEST_PART))
    note_export(chain, after=after, acting=acting)
    return lines


def note_export(chain: str, *, after: int, acting: Actor) -> None:
    """That somebody took a copy of the log is part of the log."""
    tenant_id = "" if chain == PLATFORM else chain
    record("audit.export_chain", actor=acting, tenant_id=tenant_id, target=chain, detail={"after": after})


def _lines(batch: list[AuditLink]) -> Iterator[str]:
    entries = entries_of((row.entry_id, row.entry_at) for row in batch)
    for row in batch:
        stored = entries.get(row.entry_id)
        fields = {"sequence": row.sequence, "entry_id": row.entry_id, "digest": row.digest, "hash": row.hash}
        said = {"entry": stored and content_of(stored), "names": stored and names_of(stored)}
        yield json.dumps({"type": "link", **fields, **said}, ensure_ascii=False)


def check_lines(lines: Iterable[str], *, keys: Mapping[str, str]) -> ChainReport:
    """Check an export against public keys (id to base64). Raises InvalidInput when it is none.

    An entry that the export lacks is taken as one whose month was retired: its digest still holds the chain together.
    """
    parts = (_fields(number, line) for number, line in enumerate(lines, 1))
    start = next(parts, {})
    if start.get("type") != "start":
        raise InvalidInput("An export begins with a line of type start")
    walk = Walk(str(start["chain"]), sequence=int(start["after"]), hash=str(start["hash"]))
    head: SignedHead | None = None
    for fields in parts:
        if fields.get("type") == "head":
            head = head_of(fields)
            break
        if fields.get("type") in ("more", "start"):
            _check_seam(walk, fields)
        elif fault := walk.through([_link(fields)]):
            return ChainReport(walk.chain, walk.sequence, fault)
    return ChainReport(walk.chain, walk.sequence, _end_fault(walk, head, keys))


def _check_seam(walk: Walk, fields: Mapping[str, Any]) -> None:
    """Where two parts meet, the second goes on where the first ended. Raises InvalidInput."""
    if fields["type"] == "start" and (fields.get("chain"), fields.get("hash")) != (walk.chain, walk.hash):
        raise InvalidInput(f"Another part begins after link {walk.sequence} and does not go on from it")


def _end_fault(walk: Walk, head: SignedHead | None, keys: Mapping[str, str]) -> ChainFault | None:
    if head is not None and not (head.chain == walk.chain and has_valid_signature(head, keys)):
        text = f"the head bears no signature of a known key (it names {head.key_id})"
        return ChainFault(walk.chain, FaultKind.FORGED_HEAD, head.sequence, text)
    return walk.end(head)


def _link(fields: Mapping[str, Any]) -> Link:
    try:
        entry, apart = fields["entry"], fields.get("names")  # exports before 0015 have no names
        names = [str(fields[name]) for name in ("entry_id", "digest", "hash")]
        return Link(int(fields["sequence"]), names[0], names[1], names[2], entry, retired=entry is None, names=apart)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"This is not a link: {error}") from error


def _fields(number: int, line: str) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise InvalidInput(f"Line {number} is not JSON") from error
    if not isinstance(fields, dict):
        raise InvalidInput(f"Line {number} is not an object")
    return fields
