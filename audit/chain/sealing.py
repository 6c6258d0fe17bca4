"""Tying committed entries to their chains: one sealer at a time, in the order in which entries became visible.

Whoever changes something inserts an entry and waits for nobody; a trigger notes it as waiting. The sealer takes what is
waiting a few seconds later, gives numbers without gaps and signs the new heads. Until then an entry is the unsealed
tail: it is in the log and on no chain, and every view of a chain says how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import structlog
from django.db import connection, transaction

from audit.chain.links import GENESIS, PLATFORM, content_of, digest_of, link_hash
from audit.chain.signing import has_valid_signature, sign_head
from audit.data import Actor
from audit.models import AuditEntry, AuditLink, ChainHead, WaitingEntry
from audit.selectors import entries_with_names
from audit.services import record
from core.errors import InvalidInput, NotFound

log = structlog.get_logger(__name__)
_LOCK = 7_052_104  # advisory lock: one process seals, the others leave it to that one
BATCH = 1_000
_HEAD_FIELDS = ("sequence", "hash", "sealed_at", "key_id", "signature")


@dataclass(frozen=True, slots=True)
class _Waiting:
    position: int
    chain: str
    entry: AuditEntry


def seal_waiting(*, now: datetime, batch: int = BATCH) -> int:
    """Seal everything that is committed by now; returns how many entries. 0 too while another process is at it."""
    sealed, seen = 0, 0
    while True:
        count, last = _seal_batch(now, batch, seen)
        sealed += count
        if last is None:
            return sealed
        seen = last


def waiting_count(chain: str | None = None) -> int:
    """How long the unsealed tail is, of one chain or of all."""
    rows = WaitingEntry.objects.all() if chain is None else WaitingEntry.objects.filter(chain=chain)
    return rows.count()


@transaction.atomic
def _seal_batch(now: datetime, batch: int, seen: int) -> tuple[int, int | None]:
    """How many were sealed, and the last position that was looked at when there may be more behind it."""
    if not _alone():
        return 0, None
    waiting, last = _next_waiting(batch, seen)
    chains = sorted({row.chain for row in waiting})
    heads = {head.chain: head for head in ChainHead.objects.filter(chain__in=chains)}
    frozen = [head for head in heads.values() if not has_valid_signature(head.signed)]
    for head in frozen:
        _freeze(head)
    kept = [row for row in waiting if row.chain not in {head.chain for head in frozen}]
    _extend(kept, heads, now)
    WaitingEntry.objects.filter(position__in=[row.position for row in kept]).delete()
    return len(kept), last


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone() == (True,))


def _next_waiting(batch: int, seen: int) -> tuple[list[_Waiting], int | None]:
    """The oldest of chains that may be extended. What waits without its entry is left there for the check to find."""
    frozen = ChainHead.objects.filter(frozen=True).values("chain")
    rows = list(WaitingEntry.objects.filter(position__gt=seen).exclude(chain__in=frozen).order_by("position")[:batch])
    entries = entries_of((row.entry_id, row.entry_at) for row in rows)
    waiting = [_Waiting(row.position, row.chain, entries[row.entry_id]) for row in rows if row.entry_id in entries]
    return waiting, rows[-1].position if len(rows) == batch else None


def entries_of(names: Iterable[tuple[str, datetime]]) -> dict[str, AuditEntry]:
    """Stored entries by id with their names, of those ids and instants; what is not there is left out."""
    wanted = dict(names)
    if not wanted:
        return {}
    span = (min(wanted.values()), max(wanted.values()))  # lets PostgreSQL leave the other months alone
    found = entries_with_names().filter(pk__in=wanted, at__range=span)
    return {entry.id: entry for entry in found if entry.at == wanted[entry.id]}


def _freeze(head: ChainHead) -> None:
    log.error("audit.chain.frozen", chain=head.chain, sequence=head.sequence)
    fault = f"the head at link {head.sequence} bears no signature of ours, so the chain is not extended"
    ChainHead.objects.filter(pk=head.chain).update(frozen=True, fault=fault)


def _extend(waiting: Sequence[_Waiting], heads: dict[str, ChainHead], now: datetime) -> None:
    links: list[AuditLink] = []
    ends: list[ChainHead] = []
    for chain, rows in groupby(sorted(waiting, key=lambda row: row.chain), key=lambda row: row.chain):
        new = _links(chain, heads.get(chain), [row.entry for row in rows])
        links += new
        ends.append(signed_end(chain, new[-1].sequence, new[-1].hash, now))
    AuditLink.objects.bulk_create(links)
    ChainHead.objects.bulk_create(
        ends, update_conflicts=True, unique_fields=["chain"], update_fields=list(_HEAD_FIELDS)
    )


def _links(chain: str, head: ChainHead | None, entries: Iterable[AuditEntry]) -> list[AuditLink]:
    sequence, previous = (head.sequence, head.hash) if head else (0, GENESIS)
    links = []
    for entry in entries:
        sequence += 1
        digest = digest_of(content_of(entry))
        previous = link_hash(chain=chain, sequence=sequence, previous=previous, digest=digest)
        links.append(
            AuditLink(
                chain=chain, sequence=sequence, entry_id=entry.id, entry_at=entry.at, digest=digest, hash=previous
            )
        )
    return links


def signed_end(chain: str, sequence: int, hash: str, now: datetime) -> ChainHead:
    """The row of a chain that ends there, signed with the current key."""
    head = sign_head(chain=chain, sequence=sequence, hash=hash, sealed_at=now)
    return ChainHead(**{"chain": chain, **{name: getattr(head, name) for name in _HEAD_FIELDS}})


@transaction.atomic
def adopt_chain(*, chain: str, reason: str, acting: Actor, now: datetime) -> ChainHead:
    """Vouch for a frozen chain as it stands: sign its head anew and let it be extended. The chain says who did it.

    For after a restored backup or a lost signing key, and only once it is known why. Raises NotFound, InvalidInput.
    """
    if not reason.strip():
        raise InvalidInput("Adopting a chain needs a reason", fields={"reason": ["must not be empty"]})
    head = ChainHead.objects.select_for_update().filter(pk=chain).first()
    if head is None:
        raise NotFound(f"There is no chain {chain}")
    detail = {"sequence": head.sequence, "hash": head.hash, "former_key": head.key_id}
    new = signed_end(chain, head.sequence, head.hash, now)
    new.frozen, new.fault, new.witnessed = False, "", head.witnessed
    new.save(force_update=True)
    tenant_id = "" if chain == PLATFORM else chain
    record("audit.adopt_chain", actor=acting, tenant_id=tenant_id, target=chain, reason=reason, detail=detail)
    return new
