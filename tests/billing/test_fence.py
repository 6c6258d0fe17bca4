"""What a tenant's own role sees of billing: its rows, never another's, never the operator's costs."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis as redis_library
from django.db import DatabaseError, connection, transaction

from billing.api import (
    NoSubscription,
    PeriodPosition,
    Subscription,
    UsageEvent,
    UsageRollup,
    ingest_pending,
    plan_offers,
    price_sheet,
    running_bill,
    subscription_facts,
    usage_by_day,
    usage_by_hour,
    usage_by_model,
)
from billing.metering.partitions import EVENTS
from core.partitions import month_of
from core.tenancy import tenant_scope
from tests.billing.facts import MOMENT, facts_of, send
from tests.billing.reading import precise_usage
from tests.cast import Player

MIDNIGHT = MOMENT.replace(hour=0, minute=0)
SPAN = (MIDNIGHT, MIDNIGHT + timedelta(days=1))


@pytest.fixture
def used(stream: redis_library.Redis, paying: Player) -> Player:
    send(*facts_of(paying.tenant.id, (6_000_000, 0, 10)))
    ingest_pending(now=MOMENT)
    return paying


def test_a_tenant_reads_its_bill_and_usage_in_its_own_scope(used: Player) -> None:
    own = used.tenant.id
    with tenant_scope(used.tenant.ref):
        assert precise_usage(running_bill(own, MOMENT)) == Decimal("2.5")
        assert price_sheet(own, MOMENT).version == subscription_facts(own, MOMENT).version == "pro@1"
        assert [point.figures.requests for point in usage_by_day(own, *SPAN)] == [1]
        assert len(usage_by_hour(own, *SPAN)) == 24
        assert len(usage_by_model(own, *SPAN)) == 1
        assert UsageEvent.objects.values_list("charge", flat=True).get() == Decimal("2.5")
        assert len(plan_offers()) == 6


def test_mallory_sees_nothing_of_acme(used: Player, globex: Player) -> None:
    with tenant_scope(globex.tenant.ref):
        with pytest.raises(NoSubscription):
            running_bill(used.tenant.id, MOMENT)
        assert [point.figures.requests for point in usage_by_day(used.tenant.id, *SPAN)] == [0]
        assert not UsageEvent.objects.only("id").exists()
        assert not Subscription.objects.exists()
        assert not PeriodPosition.objects.exists()


REFUSED = [
    "SELECT cost FROM billing_usageevent",
    "SELECT cost FROM billing_usagerollup",
    "SELECT * FROM billing_modelcost",
    "SELECT * FROM billing_pendingcorrection",
    f"SELECT id FROM {EVENTS.partition(month_of(MOMENT))}",
    "UPDATE billing_usageevent SET charge = 0",
    "UPDATE billing_usagerollup SET charge = 0",
    "UPDATE billing_periodposition SET amount = 0",
    "DELETE FROM billing_subscription",
    "UPDATE billing_price SET tiers = '[]'",
    "INSERT INTO billing_plan (id) VALUES ('x')",
]


@pytest.mark.parametrize("statement", REFUSED)
def test_a_tenants_role_is_refused(used: Player, statement: str) -> None:
    refused = pytest.raises(DatabaseError, match="permission denied")
    with tenant_scope(used.tenant.ref), refused, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_same_statements_pass_as_the_platform(used: Player) -> None:
    """The negative control: it is the role that is refused, not the statement."""
    with connection.cursor() as cursor:
        for statement in (each for each in REFUSED if each.startswith("SELECT")):
            cursor.execute(statement)
    assert UsageRollup.objects.count() == 2
