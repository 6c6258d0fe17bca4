"""Each handler is served by itself: none stops another, none that succeeded runs again, none is given up silently."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import quote

import pytest
import redis as redis_library
from django.db import OperationalError, connection, transaction
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError

from audit import api, metrics, outbox
from audit.errors import OutboxEventGone
from audit.models import AuditEntry, OutboxEvent
from audit.outbox import GIVE_UP_AFTER, LONGEST_WAIT, wait_after
from core import events
from core.clock import utc_now
from core.conf import ROOT
from core.redis import key
from tests.audit.reading import the_entry
from tests.cast import TESTER, Operator

pytestmark = pytest.mark.django_db(transaction=True)


@events.event_type("tests.rang")
@dataclass(frozen=True, slots=True)
class Rang(events.DomainEvent):
    what: str


@dataclass
class Listeners:
    """Two of them: `first` fails with `fault` while there is one, `second` never does."""

    fault: Exception | None = None
    called: list[str] = field(default_factory=list)

    def first(self, event: Rang) -> None:
        self.called.append("first")
        if self.fault is not None:
            raise self.fault

    def second(self, event: Rang) -> None:
        self.called.append("second")


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    both = Listeners()
    events.subscribe(Rang)(both.first)
    events.subscribe(Rang)(both.second)
    yield both
    events._handlers["tests.rang"].clear()


def relay_until_given_up(most: int = GIVE_UP_AFTER * 2) -> OutboxEvent:
    now = utc_now()
    for _ in range(most):
        now += 2 * LONGEST_WAIT
        api.relay_outbox(now=now)
    return OutboxEvent.objects.get()


def test_a_handler_that_fails_neither_stops_nor_repeats_the_other(listeners: Listeners) -> None:
    listeners.fault = RuntimeError("down")
    api.emit(Rang("x"))
    assert sorted(listeners.called) == ["first", "second"]
    now = utc_now() + 2 * LONGEST_WAIT
    assert api.relay_outbox(now=now) == 0
    listeners.fault = None
    assert api.relay_outbox(now=now + 2 * LONGEST_WAIT) == 1
    assert sorted(listeners.called) == ["first", "first", "first", "second"]
    assert OutboxEvent.objects.get().delivered_at is not None


def test_what_a_failing_handler_wrote_is_undone_and_the_others_writing_stays(listeners: Listeners) -> None:
    def write_and_fail(event: Rang) -> None:
        api.record("tests.half", actor=api.SYSTEM, tenant_id=None, target="x")
        raise RuntimeError("halfway")

    def write(event: Rang) -> None:
        api.record("tests.whole", actor=api.SYSTEM, tenant_id=None, target="x")

    events.subscribe(Rang)(write_and_fail)
    events.subscribe(Rang)(write)
    api.emit(Rang("x"))
    api.relay_outbox(now=utc_now() + LONGEST_WAIT)
    written = AuditEntry.objects.filter(action__startswith="tests.").values_list("action", flat=True)
    assert list(written) == ["tests.whole"]


def test_a_handler_that_never_succeeds_is_given_up_counted_and_sent_again_by_an_operator(listeners: Listeners) -> None:
    listeners.fault = RuntimeError("a fault of ours")
    api.emit(Rang("x"))
    row = relay_until_given_up()
    assert row.failed_at is not None
    assert listeners.called.count("first") == row.attempts == GIVE_UP_AFTER
    assert metrics.FAILED._value.get() == 1
    listeners.fault, now = None, utc_now()
    api.resend_event(event_id=row.pk, acting=TESTER, now=now)
    assert api.relay_outbox(now=now) == 1
    assert metrics.FAILED._value.get() == 0
    assert AuditEntry.objects.filter(action="outbox.resend").exists()
    with pytest.raises(OutboxEventGone):
        api.resend_event(event_id=row.pk, acting=TESTER, now=now)


def test_an_outage_of_a_server_is_waited_out_however_long_it_lasts(listeners: Listeners) -> None:
    listeners.fault = RedisConnectionError("refused")
    api.emit(Rang("x"))
    row = relay_until_given_up()
    assert row.failed_at is None
    assert row.attempts > GIVE_UP_AFTER


def test_an_event_that_is_not_wanted_any_more_is_discarded_and_stays_in_the_audit_log(listeners: Listeners) -> None:
    listeners.fault = RuntimeError("down")
    api.emit(Rang("x"))
    row = OutboxEvent.objects.get()
    api.discard_event(event_id=row.pk, acting=TESTER, reason="the tenant is gone")
    assert not OutboxEvent.objects.exists()
    entry = the_entry(action="outbox.discard")
    assert (entry.reason, entry.detail["payload"]) == ("the tenant is gone", {"what": "x"})


def test_a_database_that_is_lost_after_the_commit_does_not_fail_the_request(
    listeners: Listeners, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: list[str] = []

    def lost(*_: object, **__: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with transaction.atomic():
        api.emit(Rang("x"))
        transaction.on_commit(lambda: others.append("called"))
        monkeypatch.setattr(outbox, "_note", lost)
    assert others == ["called"]
    monkeypatch.undo()
    assert OutboxEvent.objects.get().delivered_at is None
    assert api.relay_outbox(now=utc_now() + LONGEST_WAIT) == 1


def test_of_two_attempts_at_once_the_late_one_does_not_undo_what_the_other_noted(listeners: Listeners) -> None:
    listeners.fault = RuntimeError("down")
    api.emit(Rang("x"))
    late = OutboxEvent.objects.get()
    listeners.fault = None
    assert api.relay_outbox(now=utc_now() + LONGEST_WAIT) == 1
    outbox._note(late, RuntimeError("late"), now=utc_now())
    assert OutboxEvent.objects.get().delivered_at is not None


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_to_a_minute_and_never_by_more_than_a_quarter_of_chance(attempts: int, chance: float) -> None:
    pause = wait_after(attempts, chance)
    assert timedelta(seconds=0.75) <= pause <= LONGEST_WAIT * 1.25
    assert wait_after(attempts + 1, chance) >= pause


def test_operators_see_what_was_given_up_send_it_again_and_discard_it(listeners: Listeners, olivia: Operator) -> None:
    listeners.fault = RuntimeError("down")
    api.emit(Rang("x"))
    OutboxEvent.objects.exclude(type_name="tests.rang").delete()
    row = relay_until_given_up()
    client, page = Client(HTTP_HOST="localhost"), reverse("admin:audit_outboxevent_changelist")
    client.force_login(olivia.user)
    assert "given up" in client.get(page, {"stuck": "failed"}).content.decode()
    chosen = {"_selected_action": [row.pk], "confirmed": "1"}
    client.post(page, {**chosen, "action": "resend_selected"})
    assert OutboxEvent.objects.get(pk=row.pk).failed_at is None
    client.post(page, {**chosen, "action": "discard_selected", "reason": "test"})
    assert not OutboxEvent.objects.filter(pk=row.pk).exists()


PROGRAM = """
import django, sys
django.setup()
from dataclasses import dataclass
from datetime import timedelta
from audit import api
from core import events
from core.clock import utc_now
from core.redis import control, key
from core.tenancy import platform_scope

@events.event_type("tests.killed")
@dataclass(frozen=True, slots=True)
class Killed(events.DomainEvent):
    what: str

@events.subscribe(Killed)
def one(event): control().rpush(key("tests", "heard"), "one")
@events.subscribe(Killed)
def two(event): control().rpush(key("tests", "heard"), "two")

with platform_scope():
    if sys.argv[1] == "emit":
        api.emit(Killed("x"))
    else:
        print(api.relay_outbox(now=utc_now() + timedelta(minutes=2)))
"""


def run(what: str, faults: str = "") -> subprocess.CompletedProcess[str]:
    settings = connection.get_connection_params()
    login = quote(str(settings["user"])) + (f":{quote(settings['password'])}" if settings.get("password") else "")
    address = f"postgresql://{login}@{settings['host']}:{settings['port']}/{settings['dbname']}"
    environment = os.environ | {"DATABASE_URL": address, "LUMOS_FAULTS": faults}
    command = [sys.executable, "-c", PROGRAM, what]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.faults
@pytest.mark.parametrize("killed_in", ["emit", "relay"])
def test_a_process_killed_between_two_handlers_costs_no_delivery(killed_in: str, redis: redis_library.Redis) -> None:
    killed = run("emit", "audit.outbox.handled")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert redis.lrange(key("tests", "heard"), 0, -1) == [b"one"]
    if killed_in == "relay":
        assert run("relay", "audit.outbox.handled").returncode == -signal.SIGKILL
    done = run("relay")
    assert done.stdout.strip() == "1", done.stderr
    heard = redis.lrange(key("tests", "heard"), 0, -1)
    assert heard.count(b"two") == 1
    assert set(heard) == {b"one", b"two"}
    assert OutboxEvent.objects.get().delivered_at is not None
