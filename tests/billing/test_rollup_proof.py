"""The nightly proof finds every sum that is not that of its events."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest
import redis as redis_library

from billing.api import Difference, PeriodPosition, UsageEvent, UsageRollup, ingest_pending, prove_rollups
from tests.billing.facts import MOMENT, facts_of, send
from tests.cast import Player

MIDNIGHT = MOMENT.replace(hour=0, minute=0)
DAY = timedelta(days=1)


def differences() -> list[tuple[str, str, datetime]]:
    return [
        (found.what, found.name, found.starts_at) for found in prove_rollups(starts_at=MIDNIGHT, ends_at=MIDNIGHT + DAY)
    ]


@pytest.fixture
def used(stream: redis_library.Redis, paying: Player) -> Player:
    send(*facts_of(paying.tenant.id, (6_000_000, 4, 10), (7, 0, 3)))
    ingest_pending(now=MOMENT)
    assert differences() == []
    return paying


@pytest.mark.parametrize("column", ["requests", "input_tokens", "charge", "cost", "unpriced", "latency_ms", "failures"])
def test_a_changed_figure_is_found(used: Player, column: str) -> None:
    UsageRollup.objects.filter(grain="day").update(**{column: 77})
    assert differences() == [("rollup", "day", MIDNIGHT)]


def test_a_missing_and_a_surplus_rollup_are_found(used: Player) -> None:
    row = UsageRollup.objects.get(grain="hour")
    row.delete()
    assert differences() == [("rollup", "hour", MIDNIGHT.replace(hour=12))]
    row.pk, row.model = None, "never used"
    row.save(force_insert=True)
    assert len(differences()) == 2
    assert str(row).startswith(used.tenant.id)


def test_a_position_that_is_not_the_sum_of_its_charges_is_found(used: Player) -> None:
    position = PeriodPosition.objects.order_by("-amount")[0]
    PeriodPosition.objects.filter(pk=position.pk).update(amount=position.amount + Decimal("0.000000000001"))
    (found,) = prove_rollups(starts_at=MIDNIGHT, ends_at=MIDNIGHT + DAY)
    assert found == Difference("position", used.tenant.id, position.subscription_id, MIDNIGHT.replace(day=1))
    assert str(position).startswith(position.price_id)


def test_an_event_that_was_taken_away_is_found_twice(used: Player) -> None:
    UsageEvent.objects.order_by("-input_tokens")[0].delete()
    assert {found[0] for found in differences()} == {"rollup", "position"}


def test_sums_outside_the_span_are_not_looked_at(used: Player) -> None:
    UsageRollup.objects.update(requests=77)
    assert prove_rollups(starts_at=MIDNIGHT - DAY, ends_at=MIDNIGHT) == ()
