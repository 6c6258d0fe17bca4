"""Events leave with the transaction that caused them, at least once, whatever a handler does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction

from audit import api
from audit.models import OutboxEvent
from audit.outbox import LONGEST_WAIT
from core import events
from core.clock import utc_now
from core.tenancy import current_tenant


@events.event_type("tests.happened")
@dataclass(frozen=True, slots=True)
class Happened(events.DomainEvent):
    what: str


@pytest.fixture
def heard() -> Iterator[list[str]]:
    seen: list[str] = []

    @events.subscribe(Happened)
    def listen(event: Happened) -> None:
        if event.what == "bad" and len(seen) < 2:
            seen.append("failed")
            raise RuntimeError("handler down")
        seen.append(f"{event.what}:{current_tenant()}")

    yield seen
    events._handlers["tests.happened"].clear()


@pytest.mark.django_db(transaction=True)
def test_an_event_is_delivered_on_commit_and_not_before(heard: list[str]) -> None:
    with transaction.atomic():
        api.emit(Happened("good"))
        assert heard == []
    assert heard == ["good:None"]
    assert OutboxEvent.objects.get().delivered_at is not None


@pytest.mark.django_db(transaction=True)
def test_an_event_of_a_transaction_that_fails_never_leaves(heard: list[str]) -> None:
    with pytest.raises(RuntimeError, match="no"), transaction.atomic():
        api.emit(Happened("good"))
        raise RuntimeError("no")
    assert heard == []
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_failed_delivery_does_not_hurt_the_writer_and_is_repeated(heard: list[str]) -> None:
    api.emit(Happened("bad"))
    later = utc_now() + timedelta(seconds=10)
    assert api.relay_outbox(now=later) == 0
    assert OutboxEvent.objects.get().last_error == "RuntimeError: handler down"
    assert api.relay_outbox(now=later) == 0
    assert api.relay_outbox(now=later + LONGEST_WAIT) == 1
    assert heard == ["failed", "failed", "bad:None"]
    assert api.relay_outbox(now=later + 2 * LONGEST_WAIT) == 0


@pytest.mark.django_db(transaction=True)
def test_an_event_whose_type_is_gone_waits_and_lets_the_others_pass(heard: list[str]) -> None:
    OutboxEvent.objects.create(type_name="tests.forgotten", payload={})
    OutboxEvent.objects.create(type_name="tests.happened", payload={"what": "good"})
    assert api.relay_outbox(now=utc_now() + timedelta(seconds=10)) == 1
    assert heard == ["good:None"]


@pytest.mark.django_db
def test_old_events_are_pruned_after_a_week() -> None:
    now = utc_now()
    OutboxEvent.objects.create(type_name="x", payload={}, delivered_at=now - timedelta(days=8))
    OutboxEvent.objects.create(type_name="x", payload={}, delivered_at=now)
    assert api.prune_outbox(now=now) == 1
