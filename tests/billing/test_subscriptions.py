"""Who is on which plan: one contract at a time, no gap, the anchor kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditEntry, OutboxEvent
from billing.api import (
    Cadence,
    NoSubscription,
    Subscription,
    UnknownPlan,
    price_sheet,
    publish_plan_version,
    save_plan,
    subscribe_tenant,
    subscription_facts,
)
from core.errors import Conflict, InvalidInput
from tenants.api import TenantNotFound
from tests.billing.conftest import SINCE
from tests.billing.facts import MOMENT
from tests.billing.test_catalogue import PRICES
from tests.cast import TESTER, Player


def subscribe(player: Player, plan: str, at: datetime = MOMENT) -> Subscription:
    return subscribe_tenant(tenant_id=player.tenant.id, plan_code=plan, acting=TESTER, now=at)


def test_a_tenant_without_a_plan_has_no_prices(acme: Player) -> None:
    for ask in (price_sheet, subscription_facts):
        with pytest.raises(NoSubscription):
            ask(acme.tenant.id, MOMENT)


def test_subscribing_is_seen_by_the_tenant_the_log_and_the_other_rooms(acme: Player, catalogue: None) -> None:
    made = subscribe(acme, "pro")
    facts = subscription_facts(acme.tenant.id, MOMENT)
    assert (facts.plan_code, facts.version, facts.currency, facts.ends_at) == ("pro", "pro@1", "USD", None)
    acme.tenant.refresh_from_db()
    assert acme.tenant.plan == "pro"
    assert AuditEntry.objects.get(action="billing.subscribe").target == made.public_id
    assert OutboxEvent.objects.get(type_name="billing.subscription-changed").payload == {"tenant_id": acme.tenant.id}


def test_subscribing_again_changes_nothing(paying: Player) -> None:
    before = AuditEntry.objects.count()
    assert subscribe(paying, "pro") == Subscription.objects.get()
    assert AuditEntry.objects.count() == before


def test_a_change_of_plan_leaves_no_gap_and_keeps_the_anchor(paying: Player) -> None:
    new = subscribe(paying, "business")
    old = Subscription.objects.get(ends_at=MOMENT)
    assert (old.starts_at, new.starts_at, new.ends_at) == (SINCE, MOMENT, None)
    assert new.anchor_at == old.anchor_at == SINCE
    assert price_sheet(paying.tenant.id, MOMENT - timedelta(seconds=1)).version == "pro@1"
    assert price_sheet(paying.tenant.id, MOMENT).version == "business@1"


def test_a_plan_chosen_and_left_in_the_same_instant_never_held(acme: Player, catalogue: None) -> None:
    subscribe(acme, "pro")
    subscribe(acme, "business")
    assert Subscription.objects.get().plan_version.code == "business@1"


def test_a_new_version_reaches_a_tenant_when_it_is_subscribed_anew(paying: Player) -> None:
    publish_plan_version(
        plan_code="pro", currency="USD", monthly_fee=Decimal(1), prices=PRICES, acting=TESTER, now=MOMENT
    )
    assert price_sheet(paying.tenant.id, MOMENT).version == "pro@1"
    subscribe(paying, "pro")
    assert price_sheet(paying.tenant.id, MOMENT).version == "pro@2"


def test_another_currency_begins_with_a_period(paying: Player) -> None:
    save_plan(code="euro", name="Euro", acting=TESTER, now=MOMENT)
    publish_plan_version(
        plan_code="euro", currency="EUR", monthly_fee=Decimal(1), prices=PRICES, acting=TESTER, now=MOMENT
    )
    with pytest.raises(InvalidInput) as refusal:
        subscribe(paying, "euro")
    assert "plan" in refusal.value.fields
    assert subscribe(paying, "euro", datetime(2026, 12, 1, tzinfo=UTC)).plan_version.currency == "EUR"


def test_what_cannot_be_subscribed_is_refused(paying: Player) -> None:
    with pytest.raises(UnknownPlan):
        subscribe(paying, "none")
    with pytest.raises(TenantNotFound):
        subscribe_tenant(tenant_id="0" * 26, plan_code="pro", acting=TESTER, now=MOMENT)
    with pytest.raises(Conflict):
        subscribe(paying, "business", SINCE - timedelta(days=1))


def test_the_database_allows_one_open_contract(paying: Player) -> None:
    first = Subscription.objects.get()
    with pytest.raises(IntegrityError, match="subscription_one_open"), transaction.atomic():
        Subscription.objects.create(
            tenant=paying.tenant, plan_version=first.plan_version, anchor_at=MOMENT, starts_at=MOMENT
        )
    with pytest.raises(IntegrityError, match="subscription_ends_after_start"), transaction.atomic():
        Subscription.objects.update(ends_at=SINCE)
    assert str(first) == f"{paying.tenant.id} {first.plan_version_id}"


def test_periods_may_run_from_the_start_of_the_contract(acme: Player, catalogue: None) -> None:
    subscribe_tenant(
        tenant_id=acme.tenant.id, plan_code="pro", acting=TESTER, now=SINCE, cadence=Cadence.ANNIVERSARY_MONTH
    )
    ends = datetime(2026, 12, 11, tzinfo=UTC)
    assert price_sheet(acme.tenant.id, MOMENT).period_ends_ms == int(ends.timestamp() * 1000)
