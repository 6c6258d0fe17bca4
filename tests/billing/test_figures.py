"""Charts and dashboards: sums from the roll-ups, gaps filled, other tenants and the operator's costs left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis as redis_library

from billing.api import (
    UsageFigures,
    fleet_by_hour,
    fleet_by_provider,
    fleet_by_tenant,
    fleet_total,
    ingest_pending,
    period_totals,
    set_model_cost,
    subscribe_tenant,
    usage_by_day,
    usage_by_hour,
    usage_by_model,
)
from quotas.api import PeriodTotals, calendar_month
from tests.billing.conftest import SINCE
from tests.billing.facts import MOMENT, facts_of, milliseconds, send
from tests.cast import TESTER, Player

D = Decimal
HOUR = datetime(2026, 11, 21, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def used(stream: redis_library.Redis, paying: Player, globex: Player) -> Player:
    """acme: two requests now, one of them failed, one of another model yesterday; globex: one request."""
    subscribe_tenant(tenant_id=globex.tenant.id, plan_code="free", acting=TESTER, now=SINCE)
    set_model_cost(
        provider="demo", model="demo-chat", input_token=D("0.1"), output_token=D("0.2"), acting=TESTER, now=SINCE
    )
    fine, failed, other = facts_of(paying.tenant.id, (6_000_000, 4, 10), (0, 0, 0), (7, 0, 3))
    yesterday = replace(other, model="other", key_id="second", occurred_at_ms=milliseconds(MOMENT - DAY))
    send(fine, replace(failed, status="upstream_error"), yesterday, *facts_of(globex.tenant.id, (5, 0, 5)))
    ingest_pending(now=MOMENT)
    return paying


def test_usage_by_day_has_a_point_for_every_day(used: Player) -> None:
    points = usage_by_day(used.tenant.id, MIDNIGHT - 3 * DAY, MIDNIGHT + DAY)
    assert [point.starts_at for point in points] == [MIDNIGHT - number * DAY for number in (3, 2, 1, 0)]
    assert [point.figures.requests for point in points] == [0, 0, 1, 2]
    today = points[-1].figures
    assert today == UsageFigures(
        requests=2, failures=1, input_tokens=6_000_000, cached_tokens=4, output_tokens=10,
        charge=D("2.49999"), latency_ms=1600,
    )  # fmt: skip


def test_usage_by_hour_begins_with_the_hour_that_the_span_begins_in(used: Player) -> None:
    points = usage_by_hour(used.tenant.id, HOUR - timedelta(minutes=20), HOUR + timedelta(minutes=50))
    assert [(point.starts_at, point.figures.requests) for point in points] == [
        (HOUR - timedelta(hours=1), 0),
        (HOUR, 2),
    ]


def test_usage_can_be_asked_of_one_model(used: Player) -> None:
    points = usage_by_day(used.tenant.id, MIDNIGHT - DAY, MIDNIGHT + DAY, model="other")
    assert [point.figures.requests for point in points] == [1, 0]


def test_usage_by_model_is_sorted_by_requests(used: Player) -> None:
    span = (MIDNIGHT - DAY, MIDNIGHT + DAY)
    assert [(share.label, share.figures.tokens) for share in usage_by_model(used.tenant.id, *span)] == [
        ("demo-chat", 6_000_010),
        ("other", 10),
    ]


def test_a_span_is_half_open(used: Player) -> None:
    assert [share.label for share in usage_by_model(used.tenant.id, MIDNIGHT - DAY, HOUR)] == ["other"]
    assert [share.label for share in usage_by_model(used.tenant.id, HOUR, HOUR + DAY)] == ["demo-chat"]


def test_a_tenants_figures_never_hold_what_the_operator_pays(used: Player) -> None:
    (today,) = usage_by_day(used.tenant.id, MIDNIGHT, MIDNIGHT + DAY)
    assert (today.figures.requests, today.figures.cost) == (2, 0)


def test_the_fleets_figures_show_the_margin(used: Player, globex: Player) -> None:
    span = (MIDNIGHT - DAY, MIDNIGHT + DAY)
    total = fleet_total(*span)
    assert (total.requests, total.uncosted) == (4, 1)
    assert total.cost == D("600002") + D("1.5")
    assert total.margin == D("2.5000075") - total.cost
    hours = {point.starts_at: point.figures.requests for point in fleet_by_hour(*span)}
    assert (len(hours), sum(hours.values()), hours[HOUR]) == (48, 4, 3)
    assert [share.figures.requests for share in fleet_by_provider(*span)] == [4]
    assert [share.label for share in fleet_by_tenant(*span)] == [used.tenant.id, globex.tenant.id]
    assert len(fleet_by_tenant(*span, limit=1)) == 1


def test_an_empty_fleet_is_all_zeros(db: None) -> None:
    assert fleet_total(MIDNIGHT, MIDNIGHT + DAY) == UsageFigures()


def test_the_quota_counters_can_be_rebuilt_from_the_months_totals(used: Player, globex: Player) -> None:
    month = calendar_month(int(MOMENT.timestamp()))
    totals = {row.tenant_id: row for row in period_totals(month)}
    assert totals[used.tenant.id] == PeriodTotals(used.tenant.id, "2026-11", 6_000_020, 2_500_008)
    assert totals[globex.tenant.id].micro == 0
    assert list(period_totals(calendar_month(int((MOMENT + 30 * DAY).timestamp())))) == []
