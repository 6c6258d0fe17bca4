"""Takes usage from the stream into PostgreSQL, each entry exactly once; the only writer of metered usage.

    read → decode → [ lock → known ids out → charge → events + roll-ups → positions → corrections ] → commit
         → correct the quota counters → bury what is unreadable → delete from the stream

A process that dies at any arrow leaves either nothing or committed events whose entries are still in the stream;
the next run finds their ids known and goes on behind them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import DataError, IntegrityError, transaction

from audit.api import emit
from billing.conf import INGEST_BATCH, INGEST_SECONDS, NEWEST_USAGE, OLDEST_USAGE
from billing.data import TierCrossed, UsageFact
from billing.metering import stream
from billing.metering.charging import ChargeBook, PeriodKey, Position
from billing.metering.contracts import Contract, contracts_of, from_ms
from billing.metering.corrections import apply_corrections, store_corrections
from billing.metering.costs import cost_book
from billing.metering.lock import lock_usage
from billing.metering.partitions import ensure_partitions
from billing.metering.stream import DeadLetter, Entry
from billing.metering.writing import known_ids, write_events, write_positions
from billing.metrics import BACKLOG, EVENTS
from billing.models import PeriodPosition
from core.faults import fault_point
from core.partitions import month_of
from core.redis import control
from quotas.api import is_recovering

log = structlog.get_logger(__name__)
_NEAR = timedelta(days=2)  # the same request told twice with two times: at most this far apart


@dataclass(slots=True)
class IngestReport:
    """What a run did. `busy`: another process was writing, or quota counters are being rebuilt; nothing was lost."""

    stored: int = 0
    duplicates: int = 0
    dead: int = 0
    unpriced: int = 0
    batches: int = 0
    busy: bool = False


def ingest_pending(
    *, now: datetime, limit: int | None = None, batch: int = INGEST_BATCH, seconds: float = INGEST_SECONDS
) -> IngestReport:
    """Take in what waits: until the stream is empty, `limit` entries are done or the time is up."""
    report = IngestReport()
    deadline = time.monotonic() + seconds
    done = 0
    while not report.busy and time.monotonic() < deadline:
        size = batch if limit is None else min(batch, limit - done)
        entries = stream.read_entries(size) if size > 0 else []
        if not entries:
            break
        _take(entries, now, report)
        report.batches += 1
        done += len(entries)
    if report.batches:
        BACKLOG.set(stream.backlog())
        log.info("billing.ingest.run", stored=report.stored, duplicates=report.duplicates, dead=report.dead)
    return report


def _take(entries: Sequence[Entry], now: datetime, report: IngestReport) -> None:
    """One batch. When the database refuses it, halves of it, down to the entry that is to blame."""
    facts, dead = _readable(entries, now)
    try:
        with transaction.atomic():
            if not lock_usage(wait=False) or is_recovering(control()):
                report.busy = True
                return
            stored, unpriced = _store([fact for _, fact in facts], now)
            fault_point("billing.ingest.stored")
    except (DataError, IntegrityError) as error:
        if len(entries) > 1:
            middle = len(entries) // 2
            _take(entries[:middle], now, report)
            _take(entries[middle:], now, report)
            return
        stored, unpriced, facts = 0, 0, []
        dead = [DeadLetter(entries[0], f"database: {error}")]
    fault_point("billing.ingest.committed")
    apply_corrections()
    fault_point("billing.ingest.corrected")
    stream.bury(dead)
    stream.delete_entries(entries)
    fault_point("billing.ingest.deleted")
    _count(report, stored=stored, duplicates=len(facts) - stored, dead=len(dead), unpriced=unpriced)


def _count(report: IngestReport, **outcomes: int) -> None:
    report.stored += outcomes["stored"]
    report.duplicates += outcomes["duplicates"]
    report.dead += outcomes["dead"]
    report.unpriced += outcomes["unpriced"]
    for outcome, count in outcomes.items():
        EVENTS.labels(outcome).inc(count)


def _readable(entries: Sequence[Entry], now: datetime) -> tuple[list[tuple[Entry, UsageFact]], list[DeadLetter]]:
    """Facts that can be stored; a time far from now is as unreadable as bad JSON, for it would make partitions."""
    decoded, dead = stream.decode(entries)
    oldest, newest = (int(at.timestamp() * 1000) for at in (now - OLDEST_USAGE, now + NEWEST_USAGE))
    facts = []
    for entry, fact in decoded:
        if oldest <= fact.occurred_at_ms <= newest:
            facts.append((entry, fact))
        else:
            dead.append(DeadLetter(entry, "occurred_at_ms: is too far from now"))
    return facts, dead


def _store(told: Sequence[UsageFact], now: datetime) -> tuple[int, int]:
    """Charge and write what is new among the facts; returns how many were new and how many have no price."""
    facts = _unknown(told)
    if not facts:
        return 0, 0
    times = [fact.occurred_at_ms for fact in facts]
    oldest, newest = from_ms(min(times)), from_ms(max(times))
    ensure_partitions({month_of(from_ms(ms)) for ms in times} if oldest.month != newest.month else {month_of(oldest)})
    book = ChargeBook(contracts_of((fact.tenant_id for fact in facts), oldest, newest))
    _open_positions(book, book.period_keys(facts))
    charged = [book.charge(fact) for fact in facts]
    costs = cost_book(fact.model for fact in facts)
    write_events(charged, (costs.cost_of(fact) for fact in facts), now)
    write_positions(book)
    store_corrections(book.corrections, now)
    for tenant_id in book.tenants_in_new_tier():
        emit(TierCrossed(tenant_id))
    unpriced = sum(row.charge is None for row in charged)
    if unpriced:
        log.error("billing.ingest.unpriced", events=unpriced)
    return len(facts), unpriced


def _unknown(told: Sequence[UsageFact]) -> list[UsageFact]:
    """The facts whose ids are new, once each. Exact, because there is one writer."""
    facts = {fact.id: fact for fact in reversed(told)}
    if not facts:
        return []
    times = [fact.occurred_at_ms for fact in told]
    near = (from_ms(min(times)) - _NEAR, from_ms(max(times)) + _NEAR)
    for identifier in known_ids(list(facts), *near):
        del facts[identifier]
    return list(reversed(facts.values()))


def _open_positions(book: ChargeBook, keys: dict[PeriodKey, Contract]) -> None:
    """Lock and hand in the stored positions of all periods that the batch touches."""
    positions: dict[PeriodKey, dict[str, Position]] = {key: {} for key in keys}
    rows = (
        PeriodPosition.objects.select_for_update()
        .filter(
            subscription_id__in={subscription for subscription, _ in keys},
            period_starts_at__in={starts_at for _, starts_at in keys},
        )
        .order_by("id")
    )
    for row in rows:
        found = positions.get((row.subscription_id, row.period_starts_at))
        if found is not None:
            units = int(row.quantity)
            found[row.price_id] = Position(units, int(row.amount.scaleb(12)) * 10**6, opened_at=units)
    for key, contract in keys.items():
        book.open(key, contract, positions[key])
