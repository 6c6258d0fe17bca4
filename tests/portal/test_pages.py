"""Home, usage and bill with real usage behind them; the frame, the errors and the files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import redis as redis_library
from django.test import Client, RequestFactory

from billing.api import Subscription, ingest_pending, running_bill
from core.clock import utc_now
from core.errors import TooManyRequests
from core.redis import control
from portal import faults, figures
from portal.guard import problem_page
from quotas.api import recover
from tenants.api import Role, Tenant
from tests.billing.facts import facts_of, milliseconds, send
from tests.cast import Player
from tests.portal.conftest import SignIn, stranger

Put = Callable[[Tenant], None]


@pytest.fixture
def used(acme: Player, on_a_plan: Put) -> Player:
    """acme on the plan pro, with 7 M tokens in, 2 M of them cached, and 3 M out, on two models."""
    on_a_plan(acme.tenant)
    long_ago = utc_now() - timedelta(days=40)
    Subscription.objects.filter(tenant_id=acme.tenant.id).update(starts_at=long_ago, anchor_at=long_ago)
    recover(control())
    now = milliseconds(utc_now())
    amounts = [("demo-chat", (6_000_000, 2_000_000, 2_500_000)), ("=demo", (1_000_000, 0, 500_000))]
    for model, tokens in amounts:
        (made,) = facts_of(acme.tenant.id, tokens, model=model)
        send(_at(made, now))
    ingest_pending(now=utc_now())
    return acme


def _at(made: Any, milliseconds_now: int) -> Any:
    from dataclasses import replace

    return replace(made, occurred_at_ms=milliseconds_now)


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def test_the_first_page_of_a_newcomer_says_what_to_do(globex: Player, as_role: SignIn) -> None:
    page = as_role(globex.tenant).get("/").content.decode()
    assert "No plan yet" in page
    assert "Nothing yet" in page
    assert "curl -N http://globex.localhost/v1/chat/completions" in page
    assert page.index("Getting started") < page.index("Last 14 days")


def test_the_first_page_shows_plan_meters_and_usage(used: Player, as_role: SignIn) -> None:
    page = as_role(used.tenant).get("/").content.decode()
    assert page.count('role="meter"') + page.count("no limit") == 5
    assert 'title="7,000,000">7M<' in page
    assert "Pro" in page
    assert page.index("Last 14 days") < page.index("Getting started")


def test_a_developer_sees_the_plan_and_not_the_bill(used: Player, as_role: SignIn) -> None:
    page = as_role(used.tenant, Role.DEVELOPER).get("/").content.decode()
    assert "So far" not in page
    assert 'href="/bill/"' not in page


def test_meters_renew_themselves_as_a_part_of_the_page(used: Player, as_role: SignIn) -> None:
    page = as_role(used.tenant).get("/meters/").content.decode()
    assert "<html" not in page
    assert "As of" in page


def test_the_page_stands_when_the_counters_cannot_be_read(
    used: Player, as_role: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quotas import selectors

    monkeypatch.setattr(selectors, "control", lambda: redis_library.Redis(port=1, socket_connect_timeout=0.1))
    response = as_role(used.tenant).get("/meters/")
    assert response.status_code == 200
    assert b"The counters cannot be read at the moment." in response.content


def test_usage_is_shown_by_day_and_by_model(used: Player, as_role: SignIn) -> None:
    page = as_role(used.tenant).get("/usage/?days=7&metric=requests").content.decode()
    assert "<strong>Requests</strong>" in page
    assert page.count('<th scope="row">') == 7 + 2
    assert "<code>demo-chat</code>" in page


def test_the_filter_stands_in_the_address_and_in_the_export(used: Player, as_role: SignIn) -> None:
    client = as_role(used.tenant)
    page = client.get("/usage/?days=30&model=demo-chat").content.decode()
    assert "<code>=demo</code>" not in page
    assert '<option value="demo-chat" selected>' in page
    assert 'href="/usage/export.csv?days=30&amp;model=demo-chat&amp;metric=tokens"' in page


@pytest.mark.parametrize("query", ["days=0", "days=x&metric=evil", "days=99999", "model=" + "x" * 500])
def test_a_filter_that_makes_no_sense_falls_back(used: Player, as_role: SignIn, query: str) -> None:
    assert as_role(used.tenant).get(f"/usage/?{query}").status_code == 200


def test_the_export_of_usage_has_exact_figures_and_runs_no_formula(used: Player, as_role: SignIn) -> None:
    response = as_role(used.tenant).get("/usage/export.csv?days=14")
    rows = {row["model"]: row for row in rows_of(response.content)}
    assert set(rows) == {"demo-chat", "'=demo"}
    assert rows["demo-chat"]["input_tokens"] == "6000000"
    assert rows["demo-chat"]["currency"] == "USD"
    assert "attachment" in response["Content-Disposition"]


def test_the_export_of_one_model_has_that_model_only(used: Player, as_role: SignIn) -> None:
    rows = rows_of(as_role(used.tenant).get("/usage/export.csv?model=demo-chat").content)
    assert {row["model"] for row in rows} == {"demo-chat"}


def test_a_neighbours_usage_is_not_shown(used: Player, globex: Player, as_role: SignIn) -> None:
    client = as_role(globex.tenant)
    assert "demo-chat</code>" not in client.get("/usage/").content.decode()
    assert rows_of(client.get("/usage/export.csv").content) == []


def test_the_bill_explains_its_lines(used: Player, as_role: SignIn) -> None:
    page = as_role(used.tenant).get("/bill/").content.decode()
    assert "Monthly fee" in page
    assert "5,000,000 of 5,000,000 included units used" in page
    assert "10.00\u00a0USD per 1M tokens" in page
    total = running_bill(used.tenant.id, utc_now()).total
    assert f"{total}\u00a0USD" in page


def test_the_bills_file_sums_to_its_total(used: Player, as_role: SignIn) -> None:
    rows = rows_of(as_role(used.tenant).get("/bill/export.csv").content)
    lines = [Decimal(row["amount"]) for row in rows if row["step"] == "total"]
    (total,) = [Decimal(row["amount"]) for row in rows if row["line"] == "total"]
    assert sum(lines) == total == running_bill(used.tenant.id, utc_now()).total


def test_a_tenant_without_a_plan_has_no_bill_and_is_told_so(globex: Player, as_role: SignIn) -> None:
    client = as_role(globex.tenant)
    assert b"has no plan yet" in client.get("/bill/").content
    assert rows_of(client.get("/bill/export.csv").content) == []


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"prompt_tokens": 1000, "completion_tokens": 1000}, "0.0125\u00a0USD"),
        (
            {"prompt_tokens": 1000, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 1000}},
            "0.00\u00a0USD",
        ),
        ({"prompt_tokens": 1000}, ""),
        ({"prompt_tokens": -1, "completion_tokens": 1}, ""),
        ({"prompt_tokens": "1", "completion_tokens": 1}, ""),
        ({"prompt_tokens": 1, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2}}, ""),
    ],
)
def test_a_cost_is_told_when_it_is_known(used: Player, usage: dict[str, Any], cost: str) -> None:
    assert figures.charge_estimate(used.tenant.id, "demo-chat", usage, utc_now()) == cost


def test_a_tenant_without_a_plan_has_no_cost(globex: Player) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    assert figures.charge_estimate(globex.tenant.id, "demo-chat", usage, utc_now()) == ""


def test_a_page_that_is_not_there_says_so(acme: Player, as_role: SignIn) -> None:
    response = as_role(acme.tenant).get("/nothing/here/")
    assert response.status_code == 404
    assert b"There is no such page here" in response.content


def test_a_fault_is_told_without_the_page_it_happened_on(acme: Player, as_role: SignIn, monkeypatch) -> None:
    from portal.home import views

    monkeypatch.setattr(views, "keys_of", lambda *_, **__: 1 / 0)
    client = as_role(acme.tenant)
    client.raise_request_exception = False
    response = client.get("/")
    assert response.status_code == 500
    assert b"Something went wrong on our side" in response.content


def test_a_refusal_of_django_is_told_in_our_words() -> None:
    response = faults.refused(RequestFactory().get("/"), PermissionError())
    assert (response.status_code, b"You may not open this" in response.content) == (403, True)


def test_an_anticipated_error_keeps_its_headers_and_says_what_to_do() -> None:
    error = TooManyRequests("Slow down", next_step="Wait a minute", headers={"Retry-After": "60"})
    response = problem_page(RequestFactory().get("/"), error)
    assert (response.status_code, response["Retry-After"]) == (429, "60")
    assert b"Wait a minute" in response.content


def test_pages_are_never_kept_by_caches(acme: Player, as_role: SignIn) -> None:
    assert "no-store" in as_role(acme.tenant).get("/")["Cache-Control"]


@pytest.mark.parametrize("address", ["/", "/keys/", "/keys/new/", "/usage/", "/bill/", "/playground/", "/settings/"])
def test_pages_hold_nothing_that_the_policy_forbids(used: Player, as_role: SignIn, address: str) -> None:
    page = as_role(used.tenant).get(address).content.decode()
    assert ' style="' not in page
    assert "<style" not in page
    assert " onclick=" not in page
    assert "hx-on" not in page
    assert "http://www." not in page
    assert "https://" not in page


def test_templates_ask_the_database_nothing(used: Player, as_role: SignIn, django_assert_max_num_queries) -> None:
    client = as_role(used.tenant)
    with django_assert_max_num_queries(24):
        client.get("/")
    with django_assert_max_num_queries(8):
        client.get("/keys/")


def test_strangers_see_the_name_of_the_tenant_and_a_way_to_their_language(acme: Player) -> None:
    page = stranger(acme.tenant).get("/sign-in/").content.decode()
    assert "Sign in to Acme" in page
    assert "繁體中文" in page


def test_an_unknown_host_has_no_portal(db: None) -> None:
    assert Client(SERVER_NAME="nobody.localhost").get("/").status_code == 404
