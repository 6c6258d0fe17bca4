"""The running bill: fee, one line for each price, every line explained, rounded once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis as redis_library

from billing.api import (
    LineKind,
    Meter,
    NoSubscription,
    PlanPrice,
    SliceKind,
    ingest_pending,
    publish_plan_version,
    running_bill,
    save_plan,
    subscribe_tenant,
)
from billing.bills import MeteredPeriod
from tests.billing.conftest import SINCE
from tests.billing.facts import MOMENT, facts_of, send
from tests.billing.reading import NOVEMBER, bill_of, precise_usage, usage_lines
from tests.billing.terms import graduated, per_unit, sheet
from tests.cast import TESTER, Player

D = Decimal


def test_a_bill_worked_out_by_hand() -> None:
    terms = graduated(("10000", "0.001", "0"), ("100000", "0.0008", "0"), (None, "0.0005", "0"), included="500")
    prices = sheet(("calls", Meter.REQUESTS, "*", terms), ("in", Meter.INPUT_TOKENS, "*", per_unit("0.000003")))
    bill = bill_of(MeteredPeriod(prices, {"calls": D(150_500), "in": D(1_234_567)}))
    fixed, calls, tokens = bill.lines
    assert (fixed.kind, fixed.amount, fixed.slices[0].formula) == (LineKind.FIXED, D(20), "1 \u00d7 20 = 20")
    assert calls.precise_amount == 107  # 10 + 72 + 25, after 500 included
    assert (calls.quantity, calls.included_units, calls.included_used) == (D(150_500), D(500), D(500))
    assert [(part.kind, part.tier) for part in calls.slices] == [
        (SliceKind.INCLUDED, 0),
        (SliceKind.USAGE, 1),
        (SliceKind.USAGE, 2),
        (SliceKind.USAGE, 3),
    ]
    assert calls.slices[-1].formula == "50000 \u00d7 0.0005 = 25"
    assert (tokens.precise_amount, tokens.amount) == (D("3.703701"), D("3.70"))
    assert (bill.precise_total, bill.total) == (D("130.703701"), D("130.70"))
    assert precise_usage(bill) == D("110.703701")


def test_each_line_is_rounded_once_half_up_and_the_total_is_the_sum_of_what_is_shown() -> None:
    prices = sheet(
        ("in", Meter.INPUT_TOKENS, "*", per_unit("0.005")), ("out", Meter.OUTPUT_TOKENS, "*", per_unit("0.005"))
    )
    bill = bill_of(MeteredPeriod(prices, {"in": D(1), "out": D(3)}), fee="0")
    assert [line.amount for line in usage_lines(bill)] == [D("0.01"), D("0.02")]  # half even: 0.00 and 0.02
    assert (bill.precise_total, bill.total) == (D("0.020"), D("0.03"))  # rounding the total instead: 0.02


@pytest.mark.parametrize(("currency", "amount"), [("JPY", "1234"), ("KWD", "1233.568"), ("USD", "1233.57")])
def test_amounts_have_the_minor_unit_of_their_currency(currency: str, amount: str) -> None:
    bill = bill_of(fee="1233.5678", currency=currency)
    assert str(bill.total) == amount


def test_prices_without_usage_are_shown_for_the_plan_in_force_only() -> None:
    old = sheet(("old", Meter.INPUT_TOKENS, "*", per_unit("1")), ("unused", Meter.OUTPUT_TOKENS, "*", per_unit("1")))
    new = sheet(("new", Meter.INPUT_TOKENS, "*", per_unit("1")))
    bill = bill_of(MeteredPeriod(new, {}), MeteredPeriod(old, {"old": D(2)}))
    assert [(line.price_id, line.amount) for line in usage_lines(bill)] == [("new", D(0)), ("old", D(2))]
    assert usage_lines(bill)[0].slices == ()


def test_a_tenant_without_a_plan_has_no_bill(acme: Player) -> None:
    with pytest.raises(NoSubscription):
        running_bill(acme.tenant.id, MOMENT)


def test_a_fresh_subscription_is_billed_its_fee_alone(paying: Player) -> None:
    bill = running_bill(paying.tenant.id, MOMENT)
    assert (bill.plan_code, bill.plan_name, bill.price_version) == ("pro", "Pro", "pro@1")
    assert (bill.total, bill.currency, bill.period, bill.as_of) == (D("20.00"), "USD", NOVEMBER, MOMENT)
    assert [line.meter for line in usage_lines(bill)] == [Meter.CACHED_TOKENS, Meter.INPUT_TOKENS, Meter.OUTPUT_TOKENS]


def test_usage_before_a_change_of_plan_keeps_the_old_prices(stream: redis_library.Redis, paying: Player) -> None:
    send(*facts_of(paying.tenant.id, (6_000_000, 0, 0)))
    ingest_pending(now=MOMENT)
    later = MOMENT + timedelta(hours=1)
    subscribe_tenant(tenant_id=paying.tenant.id, plan_code="free", acting=TESTER, now=later)
    bill = running_bill(paying.tenant.id, later)
    assert (bill.plan_code, bill.lines[0].amount) == ("free", D(0))
    versions = {line.price_version: line.precise_amount for line in usage_lines(bill) if line.quantity}
    assert versions == {"pro@1": D("2.5")}


def test_a_new_period_starts_at_nothing(stream: redis_library.Redis, paying: Player) -> None:
    send(*facts_of(paying.tenant.id, (6_000_000, 0, 0)))
    ingest_pending(now=MOMENT)
    assert precise_usage(running_bill(paying.tenant.id, NOVEMBER.ends_at)) == 0
    assert precise_usage(running_bill(paying.tenant.id, NOVEMBER.ends_at - timedelta(microseconds=1))) == D("2.5")


def test_the_bill_of_one_tenant_knows_nothing_of_another(
    stream: redis_library.Redis, paying: Player, globex: Player
) -> None:
    subscribe_tenant(tenant_id=globex.tenant.id, plan_code="pro", acting=TESTER, now=SINCE)
    send(*facts_of(paying.tenant.id, (6_000_000, 0, 0)))
    ingest_pending(now=MOMENT)
    assert precise_usage(running_bill(globex.tenant.id, MOMENT)) == 0


def test_prices_of_an_own_model_and_of_all_models_make_lines_of_their_own(
    stream: redis_library.Redis, acme: Player
) -> None:
    save_plan(code="own", name="Own", acting=TESTER, now=SINCE)
    prices = [
        PlanPrice(Meter.INPUT_TOKENS, "*", per_unit("1")),
        PlanPrice(Meter.INPUT_TOKENS, "large", per_unit("10")),
        PlanPrice(Meter.OUTPUT_TOKENS, "*", per_unit("0")),
    ]
    publish_plan_version(plan_code="own", currency="USD", monthly_fee=D(0), prices=prices, acting=TESTER, now=SINCE)
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="own", acting=TESTER, now=SINCE)
    send(*facts_of(acme.tenant.id, (2, 0, 0)), *facts_of(acme.tenant.id, (3, 0, 0), model="large"))
    ingest_pending(now=MOMENT)
    lines = {line.model: line.amount for line in usage_lines(running_bill(acme.tenant.id, MOMENT)) if line.quantity}
    assert lines == {"*": 2, "large": 30}
