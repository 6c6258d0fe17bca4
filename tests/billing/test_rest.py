"""Usage, bills, plans and contracts by REST: what a tenant sees of itself, and what only operators see."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import redis as redis_library

from billing.api import ingest_pending, set_model_cost
from core.ids import prefixed
from tests.billing.conftest import SINCE
from tests.billing.facts import MOMENT, facts_of, send
from tests.cast import TESTER, Operator, Player
from tests.rest import Caller, path_of

D = Decimal
SPAN = "since=2026-11-21T12:00:00Z&until=2026-11-21T14:00:00Z"


@pytest.fixture
def used(stream: redis_library.Redis, paying: Player) -> Player:
    """acme: three requests at 12:30, one of which failed; each costs the operator something."""
    set_model_cost(
        provider="demo", model="demo-chat", input_token=D("0.1"), output_token=D("0.2"), acting=TESTER, now=SINCE
    )
    first, second, failed = facts_of(paying.tenant.id, (100, 40, 10), (200, 0, 20), (300, 0, 0))
    send(first, second, replace(failed, status="upstream_error", key_id="01jd0000000000000000000ke2"))
    ingest_pending(now=MOMENT)
    return paying


def test_a_tenant_reads_its_usage_by_hour_without_the_operators_cost(used: Player) -> None:
    body = Caller(used.plaintext).get(path_of(used.tenant, f"/usage?{SPAN}")).json()
    assert [point["starts_at"] for point in body["data"]] == ["2026-11-21T12:00:00Z", "2026-11-21T13:00:00Z"]
    assert (body["total"]["requests"], body["total"]["input_tokens"], body["total"]["failures"]) == (3, 600, 1)
    assert "cost" not in body["total"]
    assert "cost" not in body["data"][0]["figures"]


def test_an_operator_reads_the_same_by_day(used: Player, olivia: Operator) -> None:
    body = Caller(olivia.token).get(path_of(used.tenant, f"/usage?by=day&{SPAN}")).json()
    assert (len(body["data"]), body["total"]["requests"]) == (1, 3)
    assert isinstance(body["total"]["charge"], str)


@pytest.mark.parametrize(
    "query",
    [
        "since=2026-11-21T12:00:00Z&until=2026-11-21T11:00:00Z",
        "since=2020-01-01T00:00:00Z",
        "by=day&since=2020-01-01T00:00:00Z&until=2026-01-01T00:00:00Z",
        "by=week",
        "since=yesterday",
    ],
)
def test_spans_that_make_no_sense_are_refused(used: Player, query: str) -> None:
    assert Caller(used.plaintext).get(path_of(used.tenant, f"/usage?{query}")).status_code == 400


def test_events_come_newest_first_in_pages_and_are_filtered(used: Player) -> None:
    caller, path = Caller(used.plaintext), path_of(used.tenant, "/usage-events")
    page = caller.get(f"{path}?limit=2").json()
    rest = caller.get(f"{path}?" + page["page"]["next"].partition("?")[2]).json()
    ids = [row["id"] for row in page["data"] + rest["data"]]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    failed = caller.get(f"{path}?status=upstream_error").json()["data"]
    assert [row["input_tokens"] for row in failed] == [300]
    by_key = caller.get(f"{path}?key_id={prefixed('key', '01jd0000000000000000000ke2')}").json()["data"]
    assert [row["id"] for row in by_key] == [failed[0]["id"]]
    assert caller.get(f"{path}?until=2026-11-21T00:00:00Z").json()["data"] == []
    assert "cost" not in failed[0]


def test_an_operator_sees_cost_and_charge_of_an_event(used: Player, olivia: Operator) -> None:
    path = path_of(used.tenant, "/usage-events?since=2026-11-21T00:00:00Z")
    rows = Caller(olivia.token).get(path).json()["data"]
    assert {row["cost"] for row in rows} == {"12.00", "24.00", "30.00"}
    assert all(row["charge"] is not None for row in rows)


def test_the_running_bill_adds_up_in_exact_text(used: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.views.utc_now", lambda: MOMENT)
    bill = Caller(used.plaintext).get(path_of(used.tenant, "/bill")).json()
    assert sum(D(line["amount"]) for line in bill["lines"]) == D(bill["total"])
    assert bill["plan_code"] == "pro"
    assert {line["meter"] for line in bill["lines"]} >= {None, "input_tokens", "output_tokens"}


def test_a_tenant_without_a_plan_has_no_bill(acme: Player, redis: redis_library.Redis) -> None:
    answer = Caller(acme.plaintext).get(path_of(acme.tenant, "/bill"))
    assert (answer.status_code, answer.json()["code"]) == (404, "no_subscription")


def test_an_operator_puts_a_tenant_on_a_plan(
    acme: Player, olivia: Operator, catalogue: None, redis: redis_library.Redis
) -> None:
    caller, path = Caller(olivia.token), path_of(acme.tenant, "/subscription")
    made = caller.post(path, {"plan": "pro"})
    assert (made.status_code, made.json()["plan_code"]) == (201, "pro")
    assert Caller(acme.plaintext).get(path).json() == made.json()
    assert caller.post(path, {"plan": "moon"}).status_code == 404


def test_a_tenant_cannot_change_its_own_plan_here(acme: Player, catalogue: None, redis: redis_library.Redis) -> None:
    assert Caller(acme.plaintext).post(path_of(acme.tenant, "/subscription"), {"plan": "free"}).status_code == 403


def test_plans_are_listed_with_their_prices(acme: Player, catalogue: None, redis: redis_library.Redis) -> None:
    plans = Caller(acme.plaintext).get("/plans").json()["data"]
    assert "pro" in {plan["code"] for plan in plans}
    tiers = plans[0]["prices"][0]["terms"]["tiers"]
    assert all(isinstance(tier["unit_amount"], str) for tier in tiers)
