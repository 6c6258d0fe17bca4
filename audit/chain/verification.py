"""Checking the stored chains: finds the first bad link of each, against the head and against heads kept elsewhere.

What it can find: a missing or changed entry, a link that does not follow, a head that we did not sign, an entry that
never came through the sealer; and, with a head that was kept outside of the database, a tail that was cut or a history
that was written anew. What it cannot: what somebody did who has both the database and the secrets file, since the last
head that was kept where they could not reach it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import structlog
from django.db import connection
from django.db.models import Subquery

from audit.chain.links import PLATFORM, content_of
from audit.chain.sealing import entries_of, seal_waiting
from audit.chain.signing import has_valid_signature
from audit.chain.walk import Link, Walk
from audit.chain.witness import kept_heads
from audit.data import Actor, ChainFault, ChainReport, FaultKind, SignedHead
from audit.models import AuditEntry, AuditLink, ChainHead
from audit.selectors import names_of
from audit.services import record
from core.errors import NotFound

log = structlog.get_logger(__name__)
RETIRED = "audit.retire_month"
_BATCH = 2_000
_CHAINS = """
SELECT chain FROM audit_chainhead
UNION SELECT DISTINCT chain FROM audit_auditlink
UNION SELECT DISTINCT coalesce(nullif(tenant_id, ''), 'platform') FROM audit_auditentry
"""
# What is neither on a chain nor waiting for its turn came past the sealer, and so did what waits and is not there.
_UNSEALED = """
SELECT e.id, 'was never sealed' FROM audit_auditentry e WHERE e.tenant_id = %(tenant)s
  AND NOT EXISTS (SELECT 1 FROM audit_auditlink l WHERE l.entry_id = e.id)
  AND NOT EXISTS (SELECT 1 FROM audit_waitingentry w WHERE w.entry_id = e.id)
UNION ALL
SELECT w.entry_id, 'is gone before it was sealed' FROM audit_waitingentry w WHERE w.chain = %(chain)s
  AND NOT EXISTS (SELECT 1 FROM audit_auditentry e WHERE e.id = w.entry_id AND e.at = w.entry_at)
ORDER BY 1 LIMIT 1
"""


def chains() -> list[str]:
    """Every chain that anything speaks of, the platform's first."""
    with connection.cursor() as cursor:
        cursor.execute(_CHAINS)
        return sorted((name for (name,) in cursor.fetchall()), key=lambda name: (name != PLATFORM, name))


def verify_chain(chain: str, *, known: Iterable[SignedHead] = ()) -> ChainReport:
    """Check one chain, also against signed heads that were kept elsewhere. Reads every entry of the chain."""
    mine = [head for head in known if head.chain == chain]
    if forged := [head for head in mine if not has_valid_signature(head)]:
        return ChainReport(chain, 0, _forged(chain, forged[0], "the kept head"))
    walk = Walk(chain, {head.sequence: head for head in mine})
    head, last = _end_of(chain)
    fault = walk.through(_links(chain, last)) or _end_fault(walk, head)
    return ChainReport(chain, walk.sequence, fault or _unsealed(chain))


def verify_all(*, known: Iterable[SignedHead] = ()) -> Iterator[ChainReport]:
    """Check every chain; a chain of which only a kept head knows is one whose whole tail was cut."""
    kept: dict[str, list[SignedHead]] = {}
    for head in known:
        kept.setdefault(head.chain, []).append(head)
    for chain in sorted({*chains(), *kept}, key=lambda name: (name != PLATFORM, name)):
        yield verify_chain(chain, known=kept.get(chain, ()))


def check_chains(*, now: datetime, chain: str | None = None, files: Iterable[Path] = ()) -> Iterator[ChainReport]:
    """Check one chain or all, also against every kept head; each report is noted beside its head and yielded.

    Seals first, so that what is committed by now is on its chain. Raises InvalidInput for an unusable file of heads.
    """
    seal_waiting(now=now)
    known = kept_heads(files, chain=chain)
    for report in verify_all(known=known) if chain is None else [verify_chain(chain, known=known)]:
        _note(report, now)
        yield report


def check_chain(*, chain: str, acting: Actor, now: datetime) -> ChainReport:
    """Check one chain on somebody's behalf, which is part of the log. Raises NotFound for a chain without links."""
    if not ChainHead.objects.filter(pk=chain).exists():
        raise NotFound(f"There is no chain {chain}")
    [report] = check_chains(now=now, chain=chain)
    detail = {"links": report.links, "fault": report.fault.sentence if report.fault else ""}
    tenant_id = "" if chain == PLATFORM else chain
    record("audit.check_chain", actor=acting, tenant_id=tenant_id, target=chain, detail=detail)
    return report


def _note(report: ChainReport, now: datetime) -> None:
    """For the operators' pages, and as an error in the log of the process."""
    if report.fault:
        log.error("audit.chain.broken", **asdict(report.fault))
    fault = report.fault.sentence if report.fault else ""
    ChainHead.objects.filter(pk=report.chain).update(verified_at=now, verified_sequence=report.links, fault=fault)


def _end_of(chain: str) -> tuple[ChainHead | None, int]:
    """The head and the number of the last link, as of one instant: the sealer may be at work."""
    newest = AuditLink.objects.filter(chain=chain).order_by("-sequence").values("sequence")[:1]
    head = ChainHead.objects.filter(pk=chain).annotate(last=Subquery(newest)).first()
    last: int | None = head.last if head else newest.values_list("sequence", flat=True).first()
    return head, last or 0


def _end_fault(walk: Walk, head: ChainHead | None) -> ChainFault | None:
    if walk.sequence == 0 and head is None and not walk.known:
        return None  # nothing was sealed yet
    if head is not None and not has_valid_signature(head.signed):
        return _forged(walk.chain, head.signed, "the head")
    return walk.end(head.signed if head else None)


def _forged(chain: str, head: SignedHead, what: str) -> ChainFault:
    text = f"{what} at link {head.sequence} bears no signature of ours (key {head.key_id})"
    return ChainFault(chain, FaultKind.FORGED_HEAD, head.sequence, text)


def _links(chain: str, last: int) -> Iterator[Link]:
    """The chain's links up to `last`, with what is stored of their entries; what is sealed meanwhile is left out."""
    retired, sequence = _retired_months(), 0
    while sequence < last:
        rows = AuditLink.objects.filter(chain=chain, sequence__gt=sequence, sequence__lte=last).order_by("sequence")
        batch = list(rows[:_BATCH])
        entries = entries_of((row.entry_id, row.entry_at) for row in batch)
        yield from (_link(row, entries, retired) for row in batch)
        sequence = batch[-1].sequence if batch else last


def _link(row: AuditLink, entries: Mapping[str, AuditEntry], retired: frozenset[str]) -> Link:
    entry = entries.get(row.entry_id)
    content = None if entry is None else content_of(entry)
    names = None if entry is None else names_of(entry)
    is_retired = f"{row.entry_at:%Y-%m}" in retired
    return Link(row.sequence, row.entry_id, row.digest, row.hash, content, retired=is_retired, names=names)


def _retired_months() -> frozenset[str]:
    """Months such as 2025-01 whose entries were dropped by rule, as the platform's own chain says."""
    return frozenset(AuditEntry.objects.filter(action=RETIRED, tenant_id="").values_list("target", flat=True))


def _unsealed(chain: str) -> ChainFault | None:
    with connection.cursor() as cursor:
        cursor.execute(_UNSEALED, {"tenant": "" if chain == PLATFORM else chain, "chain": chain})
        row = cursor.fetchone()
    return None if row is None else ChainFault(chain, FaultKind.UNSEALED, 0, f"entry {row[0]} {row[1]}")
