"""Monthly partitions: made ahead and on demand, never twice, and never a default one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import redis as redis_library
from django.db import DatabaseError, connection, transaction

from billing.api import UsageEvent, ensure_partitions_ahead, ingest_pending
from billing.metering.partitions import EVENTS, ensure_partitions
from core.partitions import MonthlyTable, month_after, month_of
from tests.billing.facts import MOMENT, facts_of, milliseconds, send
from tests.cast import Player


def bounds() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) FROM pg_inherits i"
            " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'billing_usageevent'::regclass"
        )
        return dict(cursor.fetchall())


def test_partitions_are_made_ahead_without_gap_and_once(db: None) -> None:
    made = ensure_partitions_ahead(datetime(2031, 11, 21, tzinfo=UTC), 2)
    assert made == [f"billing_usageevent_y{month}" for month in ("2031m11", "2031m12", "2032m01")]
    assert ensure_partitions_ahead(datetime(2031, 11, 30, tzinfo=UTC), 2) == []
    known = bounds()
    assert known["billing_usageevent_y2031m12"] == (
        "FOR VALUES FROM ('2031-12-01 00:00:00+00') TO ('2032-01-01 00:00:00+00')"
    )


def test_there_is_no_default_partition(db: None) -> None:
    ensure_partitions_ahead(MOMENT)
    assert "DEFAULT" not in bounds().values()


def test_usage_of_a_month_without_a_partition_makes_it(stream: redis_library.Redis, paying: Player) -> None:
    moment = datetime(2035, 7, 31, 23, 59, tzinfo=UTC)
    partition = EVENTS.partition(month_of(moment))
    assert partition not in bounds()
    (fact,) = facts_of(paying.tenant.id, (1, 0, 1))
    send(replace(fact, occurred_at_ms=milliseconds(moment)))
    ingest_pending(now=moment)
    assert partition in bounds()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {partition}")
        assert cursor.fetchone() == (1,)


def test_without_a_partition_nothing_can_be_stored(db: None) -> None:
    with pytest.raises(DatabaseError, match="no partition"), transaction.atomic():
        UsageEvent.objects.create(
            id="req_1", occurred_at=datetime(2040, 1, 1, tzinfo=UTC), tenant_id="t", key_id="k", model="m",
            provider="p", endpoint="e", status="ok", input_tokens=1, cached_tokens=0, output_tokens=1, latency_ms=1,
            price_version="v", estimated=False, live=True, provisional_micro=0, ingested_at=MOMENT,
        )  # fmt: skip


def test_months_follow_each_other_over_the_years_end() -> None:
    december = datetime(2026, 12, 1, tzinfo=UTC)
    assert month_after(december) == datetime(2027, 1, 1, tzinfo=UTC)
    assert month_of(december - timedelta(microseconds=1)) == datetime(2026, 11, 1, tzinfo=UTC)
    assert EVENTS.partition(december) == "billing_usageevent_y2026m12"


def test_a_partition_made_by_another_process_in_between_is_not_made_again(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    month = datetime(2033, 5, 1, tzinfo=UTC)
    answers = iter([False, True])
    monkeypatch.setattr(MonthlyTable, "exists", lambda table, month: next(answers))
    assert ensure_partitions([month]) == []
