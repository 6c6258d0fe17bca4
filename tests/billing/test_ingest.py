"""From the stream to the books: each entry once, its exact charge, and the quota counter made true."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import cast

import psycopg
import pytest
import redis as redis_library
from django.db import connection

from audit.models import OutboxEvent
from billing.api import (
    IngestInterrupted,
    IngestReport,
    MalformedUsage,
    Meter,
    PeriodPosition,
    PlanPrice,
    UsageEvent,
    UsageFact,
    UsageRollup,
    ingest_pending,
    price_sheet,
    prove_rollups,
    publish_plan_version,
    running_bill,
    save_plan,
    set_model_cost,
    subscribe_tenant,
)
from billing.metering import ingest as ingest_module
from billing.metering import stream as stream_module
from billing.models import PendingCorrection
from core.redis import key
from quotas.api import EngineKeys
from tests.billing.conftest import SINCE
from tests.billing.facts import MOMENT, facts_of, milliseconds, send
from tests.billing.reading import precise_usage
from tests.billing.terms import graduated, package, per_unit, volume
from tests.cast import TESTER, Player

D = Decimal
DAY = timedelta(days=1)


def take(**options: int) -> IngestReport:
    return ingest_pending(now=MOMENT, **options)


def money_used(redis: redis_library.Redis, tenant_id: str) -> int:
    """The quota counter, in micro-units."""
    counters = EngineKeys.of_installation().period(tenant_id, "2026-11")
    return int(redis.hget(counters, "money_per_month:used") or 0)


def dead_letters(redis: redis_library.Redis) -> list[dict[bytes, bytes]]:
    rows = cast("list[tuple[bytes, dict[bytes, bytes]]]", redis.xrange(key("usage", "dead")))
    return [fields for _, fields in rows]


def nothing_differs() -> bool:
    return prove_rollups(starts_at=MOMENT.replace(hour=0, minute=0) - 40 * DAY, ends_at=MOMENT + DAY) == ()


@pytest.fixture
def mixed(acme: Player) -> Player:
    """acme on a plan with one price of each charge model."""
    save_plan(code="mixed", name="Mixed", acting=TESTER, now=SINCE)
    tiers = (("700", "0.000004", "0.5"), (None, "0.000001", "0.25"))
    prices = [
        PlanPrice(Meter.INPUT_TOKENS, "*", graduated(*tiers, included="300")),
        PlanPrice(Meter.CACHED_TOKENS, "*", volume(*tiers)),
        PlanPrice(Meter.OUTPUT_TOKENS, "*", package("0.01", "100")),
        PlanPrice(Meter.REQUESTS, "*", per_unit("0.003", "2")),
        PlanPrice(Meter.OUTPUT_TOKENS, "large", per_unit("0.00007")),
    ]
    publish_plan_version(
        plan_code="mixed", currency="USD", monthly_fee=D("9.99"), prices=prices, acting=TESTER, now=SINCE
    )
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="mixed", acting=TESTER, now=SINCE)
    return acme


def many_facts(tenant_id: str, count: int = 60) -> list[UsageFact]:
    random = Random(7)
    tokens = [(random.randrange(50, 90), random.randrange(50), random.randrange(40)) for _ in range(count)]
    return facts_of(tenant_id, *tokens) + facts_of(tenant_id, *tokens[:5], model="large")


def test_an_empty_stream_costs_one_look(stream: redis_library.Redis) -> None:
    assert take() == IngestReport()


def test_an_event_is_stored_with_charge_cost_and_everything_that_was_told(
    stream: redis_library.Redis, paying: Player
) -> None:
    set_model_cost(
        provider="demo", model="demo-chat", input_token=D("0.000001"), cached_token=D("0.0000005"),
        output_token=D("0.000002"), acting=TESTER, now=SINCE,
    )  # fmt: skip
    (fact,) = facts_of(paying.tenant.id, (6_000_000, 0, 10), provisional_micro=7)
    send(fact)
    assert take() == IngestReport(stored=1, batches=1)
    event = UsageEvent.objects.get()
    assert (event.id, event.tenant_id, event.latency_ms, event.first_token_ms) == (fact.id, fact.tenant_id, 800, 120)
    assert milliseconds(event.occurred_at) == fact.occurred_at_ms
    assert event.charge == D("2.5")  # 5 million are included, 1 million at 2.50, all of the output is included
    assert event.cost == D("6.00002")
    assert stream.xlen(key("usage")) == 0
    assert str(event) == fact.id


def test_charges_of_events_sum_to_the_bill_to_the_last_digit(stream: redis_library.Redis, mixed: Player) -> None:
    send(*many_facts(mixed.tenant.id))
    take(batch=17)
    charges = [event.charge for event in UsageEvent.objects.all()]
    bill = running_bill(mixed.tenant.id, MOMENT)
    assert sum(charge for charge in charges if charge is not None) == precise_usage(bill)
    assert precise_usage(bill) == sum(position.amount for position in PeriodPosition.objects.all())
    assert None not in charges
    assert nothing_differs()


def test_order_repetition_and_size_of_batches_change_nothing(stream: redis_library.Redis, mixed: Player) -> None:
    facts = many_facts(mixed.tenant.id)
    Random(1).shuffle(facts)
    send(*facts[:30], *facts[20:40])
    first = take(batch=7)
    send(*facts, *facts[:3])
    second = take(batch=1_000)
    assert first.stored + second.stored == len(facts) == UsageEvent.objects.count()
    assert first.duplicates + second.duplicates == 10 + 40 + 3
    in_order: dict[str, Decimal] = {}
    for meter, units in PeriodPosition.objects.values_list("price__meter", "quantity"):
        in_order[meter] = in_order.get(meter, D(0)) + units
    assert in_order[Meter.REQUESTS] == len(facts)
    assert in_order[Meter.CACHED_TOKENS] == sum(fact.cached_tokens for fact in facts)
    assert in_order[Meter.INPUT_TOKENS] == sum(fact.input_tokens - fact.cached_tokens for fact in facts)
    assert nothing_differs()


def test_the_same_request_told_with_two_times_is_one_event(stream: redis_library.Redis, paying: Player) -> None:
    (fact,) = facts_of(paying.tenant.id, (10, 0, 5))
    send(fact, replace(fact, input_tokens=99, occurred_at_ms=fact.occurred_at_ms + 1))
    assert (take().stored, UsageEvent.objects.get().input_tokens) == (1, 10)
    send(replace(fact, input_tokens=99, occurred_at_ms=fact.occurred_at_ms + 3_600_000))
    assert take().duplicates == 1
    assert UsageEvent.objects.count() == 1


def test_a_limit_leaves_the_rest_for_the_next_run(stream: redis_library.Redis, paying: Player) -> None:
    send(*facts_of(paying.tenant.id, *[(10, 0, 5)] * 5))
    assert take(limit=3, batch=2).stored == 3
    assert stream.xlen(key("usage")) == 2
    assert take(seconds=0).stored == 0
    assert take().stored == 2


def test_the_quota_counter_ends_at_the_exact_amount_rounded_up(stream: redis_library.Redis, mixed: Player) -> None:
    facts = many_facts(mixed.tenant.id)
    counters = EngineKeys.of_installation().period(mixed.tenant.id, "2026-11")
    stream.hset(counters, "money_per_month:used", 500 * len(facts))
    send(*(replace(fact, provisional_micro=500) for fact in facts))
    take(batch=10)
    exact = precise_usage(running_bill(mixed.tenant.id, MOMENT))
    assert money_used(stream, mixed.tenant.id) == -(-exact * 10**6 // 1)
    assert not PendingCorrection.objects.exists()


def test_test_keys_are_stored_and_never_charged(stream: redis_library.Redis, paying: Player) -> None:
    send(*facts_of(paying.tenant.id, (60_000_000, 0, 10), live=False))
    take()
    assert UsageEvent.objects.get().charge == 0
    assert precise_usage(running_bill(paying.tenant.id, MOMENT)) == 0
    assert UsageRollup.objects.get(grain="day").live is False


def test_usage_without_a_contract_or_a_price_waits_uncharged(stream: redis_library.Redis, acme: Player) -> None:
    send(*facts_of(acme.tenant.id, (10, 0, 5)))
    assert take().unpriced == 1
    assert UsageEvent.objects.get().charge is None
    save_plan(code="one", name="One", acting=TESTER, now=SINCE)
    publish_plan_version(
        plan_code="one", currency="USD", monthly_fee=D(0), acting=TESTER, now=SINCE,
        prices=[PlanPrice(Meter.INPUT_TOKENS, "other", per_unit("1"))],
    )  # fmt: skip
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="one", acting=TESTER, now=SINCE)
    send(*facts_of(acme.tenant.id, (10, 0, 5)))
    assert take().unpriced == 1
    assert UsageRollup.objects.get(grain="hour").unpriced == 2
    assert precise_usage(running_bill(acme.tenant.id, MOMENT)) == 0
    assert nothing_differs()


def test_a_provider_that_failed_is_no_paid_request(stream: redis_library.Redis, mixed: Player) -> None:
    send(*facts_of(mixed.tenant.id, *[(0, 0, 0)] * 4, status="upstream_error"))
    take()
    assert precise_usage(running_bill(mixed.tenant.id, MOMENT)) == 0
    assert UsageRollup.objects.get(grain="hour").failures == 4


def test_a_client_that_left_before_anything_was_sent_pays_for_no_request(
    stream: redis_library.Redis, mixed: Player
) -> None:
    send(*facts_of(mixed.tenant.id, *[(0, 0, 0)] * 4, status="client_closed"))
    take()
    assert precise_usage(running_bill(mixed.tenant.id, MOMENT)) == 0
    send(*facts_of(mixed.tenant.id, *[(3, 0, 0)] * 4, status="client_closed"))
    take()
    assert precise_usage(running_bill(mixed.tenant.id, MOMENT)) > 0, "those that were sent are paid for"


def test_a_late_event_is_charged_in_its_own_period_and_at_the_cost_of_its_time(
    stream: redis_library.Redis, acme: Player, catalogue: None
) -> None:
    began = MOMENT - 40 * DAY
    subscribe_tenant(tenant_id=acme.tenant.id, plan_code="pro", acting=TESTER, now=SINCE)
    acme.tenant.subscriptions.update(starts_at=began, anchor_at=began)
    for amount, since in (("0.1", began), ("0.2", MOMENT - DAY)):
        set_model_cost(
            provider="demo", model="demo-chat", input_token=D(amount), output_token=D(0), acting=TESTER, now=since
        )
    send(*facts_of(acme.tenant.id, (6_000_000, 0, 0)))
    (late,) = facts_of(acme.tenant.id, (6_000_000, 0, 0))
    send(replace(late, occurred_at_ms=milliseconds(MOMENT - 30 * DAY)))
    take()
    assert [event.charge for event in UsageEvent.objects.order_by("occurred_at")] == [D("2.5"), D("2.5")]
    assert [event.cost for event in UsageEvent.objects.order_by("occurred_at")] == [D(600_000), D(1_200_000)]
    assert PeriodPosition.objects.values("period_starts_at").distinct().count() == 2
    assert precise_usage(running_bill(acme.tenant.id, MOMENT)) == D("2.5")


def test_a_model_without_a_known_cost_is_counted_as_such(stream: redis_library.Redis, paying: Player) -> None:
    set_model_cost(
        provider="demo", model="demo-chat", input_token=D(1), output_token=D(1), acting=TESTER, now=MOMENT + DAY
    )
    send(*facts_of(paying.tenant.id, (10, 0, 5)))
    take()
    assert UsageEvent.objects.get().cost is None
    assert UsageRollup.objects.get(grain="day").uncosted == 1


def test_entering_another_tier_asks_for_a_fresh_price_sheet(stream: redis_library.Redis, mixed: Player) -> None:
    def crossings() -> int:
        return OutboxEvent.objects.filter(type_name="billing.tier-crossed").count()

    send(*facts_of(mixed.tenant.id, (100, 0, 0)))
    take()
    assert crossings() == 0
    send(*facts_of(mixed.tenant.id, (250, 0, 0)))
    take()
    assert crossings() == 1
    sheet = price_sheet(mixed.tenant.id, MOMENT)
    assert 350 in sheet.positions.values()
    assert sheet.positions_at(sheet.period_ends_ms) == {}


UNREADABLE = [b"{", b"[]", b'{"id": "req_1"}', b"\xff\xfe"]


def test_unreadable_entries_are_set_aside_and_block_nothing(stream: redis_library.Redis, paying: Player) -> None:
    for raw in UNREADABLE:
        stream.xadd(key("usage"), {"e": raw})
    stream.xadd(key("usage"), {"other": "field"})
    send(*facts_of(paying.tenant.id, (1, 0, 1)))
    far = facts_of(paying.tenant.id, (1, 0, 1), status="ok")[0]
    send(
        replace(far, id="req_old", occurred_at_ms=milliseconds(MOMENT - 500 * DAY)),
        replace(far, id="req_new", occurred_at_ms=10**15),
    )
    assert take() == IngestReport(stored=1, dead=7, batches=1)
    assert stream.xlen(key("usage")) == 0
    letters = dead_letters(stream)
    assert [letter[b"e"] for letter in letters][:4] == UNREADABLE
    assert {letter[b"reason"] for letter in letters} >= {b"occurred_at_ms: is too far from now", b"e: is not JSON"}


def test_an_entry_is_buried_once_however_often_it_is_tried(stream: redis_library.Redis) -> None:
    entry_id = cast(bytes, stream.xadd(key("usage"), {"e": b"{"}))
    letter = stream_module.DeadLetter(stream_module.Entry(entry_id, b"{"), "why")
    stream_module.bury([letter])
    stream_module.bury([letter])
    assert stream.xlen(key("usage", "dead")) == 1
    earlier = stream_module.DeadLetter(stream_module.Entry(b"1-1", b"["), "clock went back")
    stream_module.bury([earlier])
    assert stream.xlen(key("usage", "dead")) == 2


def test_an_entry_that_the_database_refuses_is_found_and_set_aside(
    stream: redis_library.Redis, paying: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = facts_of(paying.tenant.id, *[(10, 0, 5)] * 5)
    monkeypatch.setattr("billing.data.usage._check_texts", lambda fact: None)
    facts[3] = replace(facts[3], model="m" * 300)
    send(*facts)
    report = take()
    assert (report.stored, report.dead) == (4, 1)
    (letter,) = dead_letters(stream)
    assert letter[b"reason"].startswith(b"database: ")
    assert nothing_differs()


@contextmanager
def another_session() -> Iterator[psycopg.Connection]:
    parameters = connection.get_connection_params()
    with psycopg.connect(
        host=parameters["host"], port=parameters["port"], user=parameters["user"],
        password=parameters.get("password"), dbname=parameters["dbname"],
    ) as other:  # fmt: skip
        yield other


@pytest.mark.django_db(transaction=True)
def test_while_another_process_writes_this_one_leaves_it_to_it(stream: redis_library.Redis, paying: Player) -> None:
    send(*facts_of(paying.tenant.id, (10, 0, 5)))
    with another_session() as other:
        other.execute("SET lock_timeout = '5s'")
        other.execute("SELECT pg_advisory_xact_lock(7052101)")
        assert take() == IngestReport(batches=1, busy=True)
    assert take().stored == 1


def test_nothing_is_written_while_quota_counters_are_rebuilt(stream: redis_library.Redis, paying: Player) -> None:
    send(*facts_of(paying.tenant.id, (10, 0, 5)))
    epoch = EngineKeys.of_installation().epoch
    kept = stream.get(epoch)
    stream.delete(epoch)
    assert take().busy
    assert not UsageEvent.objects.exists()
    assert kept is not None
    stream.set(epoch, kept)
    assert take().stored == 1


def test_an_event_that_somebody_else_stored_meanwhile_undoes_the_batch(
    stream: redis_library.Redis, paying: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = facts_of(paying.tenant.id, (10, 0, 5), (10, 0, 5))
    send(facts[0])
    take()
    before = list(PeriodPosition.objects.order_by("id").values_list("quantity", flat=True))
    monkeypatch.setattr(ingest_module, "_unknown", list)
    send(*facts)
    with pytest.raises(IngestInterrupted):
        take()
    assert list(PeriodPosition.objects.order_by("id").values_list("quantity", flat=True)) == before
    assert UsageEvent.objects.count() == 1
    assert stream.xlen(key("usage")) == 2


def test_a_correction_left_by_a_crash_is_applied_once(stream: redis_library.Redis, paying: Player) -> None:
    counters = EngineKeys.of_installation().period(paying.tenant.id, "2026-11")
    stream.hset(counters, "money_per_month:used", 100)
    PendingCorrection.objects.create(
        id="01jd0000000000000000000cor", tenant_id=paying.tenant.id, month="2026-11", delta_micro=-30
    )
    left = PendingCorrection.objects.get()
    send(*facts_of(paying.tenant.id, (0, 0, 0)))
    take()
    assert money_used(stream, paying.tenant.id) == 70
    left.save(force_insert=True)
    send(*facts_of(paying.tenant.id, (0, 0, 0)))
    take()
    assert money_used(stream, paying.tenant.id) == 70
    assert str(left) == f"{paying.tenant.id} -30"


@pytest.mark.parametrize(
    "change",
    [(b":100,", b":1.5,"), (b":100,", b":100.0,"), (b"demo-chat", b"\\ud800"), (b"true", b"1"), (b'"ok"', b"7")],
)
def test_the_fast_reader_is_as_strict_as_the_other(change: tuple[bytes, bytes]) -> None:
    raw = facts_of("acme", (100, 0, 1))[0].to_json().replace(*change, 1)
    _, dead = stream_module.decode([stream_module.Entry(b"1-1", raw)])
    assert len(dead) == 1
    with pytest.raises(MalformedUsage):
        UsageFact.from_json(raw)


def test_a_stream_of_nothing_but_unreadable_entries_is_emptied(stream: redis_library.Redis) -> None:
    stream.xadd(key("usage"), {"e": b"{"})
    assert take() == IngestReport(dead=1, batches=1)
    assert len(dead_letters(stream)) == 1
