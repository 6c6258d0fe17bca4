"""kill -9 of the ingest at each of its steps: afterwards each event is there once and every sum agrees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
import redis as redis_library
from django.db import connection

from billing.api import UsageEvent, ingest_pending, prove_rollups, running_bill
from billing.models import PendingCorrection
from core.conf import ROOT
from core.redis import key
from quotas.api import EngineKeys
from tests.billing.facts import MOMENT, facts_of, send
from tests.billing.reading import precise_usage
from tests.cast import Player

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
POINTS = [
    "billing.ingest.stored",
    "billing.ingest.committed",
    "billing.ingest.corrected",
    "billing.ingest.deleted",
]
PROGRAM = f"""
import django
django.setup()
from datetime import datetime
from billing.api import ingest_pending
from core.tenancy import platform_scope
with platform_scope():
    report = ingest_pending(now=datetime.fromisoformat({MOMENT.isoformat()!r}), batch=20)
print(report.stored)
"""


def run_ingest(faults: str = "") -> subprocess.CompletedProcess[str]:
    """The ingest in a process of its own, on this test's database and streams."""
    settings = connection.get_connection_params()
    address = f"{settings['host']}:{settings['port']}/{settings['dbname']}"
    login = quote(str(settings["user"])) + (f":{quote(settings['password'])}" if settings.get("password") else "")
    environment = os.environ | {"DATABASE_URL": f"postgresql://{login}@{address}", "LUMOS_FAULTS": faults}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def waiting(stream: redis_library.Redis, paying: Player) -> Player:
    """50 requests on the stream, settled at a provisional 5 micro-units each, and one unreadable entry."""
    facts = facts_of(paying.tenant.id, *[(200_000, 100, 30_000)] * 50)
    counters = EngineKeys.of_installation().period(paying.tenant.id, "2026-11")
    stream.hset(counters, "money_per_month:used", 5 * len(facts))
    stream.xadd(key("usage"), {"e": b"{"})
    send(*(replace(fact, provisional_micro=5) for fact in facts))
    return paying


def assert_books_are_right(redis: redis_library.Redis, tenant_id: str) -> None:
    exact = precise_usage(running_bill(tenant_id, MOMENT))
    assert UsageEvent.objects.count() == 50
    assert sum(event.charge or 0 for event in UsageEvent.objects.all()) == exact > 0
    midnight = MOMENT.replace(hour=0, minute=0)
    assert prove_rollups(starts_at=midnight, ends_at=midnight + timedelta(days=1)) == ()
    counters = EngineKeys.of_installation().period(tenant_id, "2026-11")
    assert int(redis.hget(counters, "money_per_month:used") or 0) == -(-exact * 10**6 // 1)
    assert redis.xlen(key("usage")) == 0
    assert redis.xlen(key("usage", "dead")) == 1
    assert not PendingCorrection.objects.exists()


def test_without_a_crash_the_books_are_right(stream: redis_library.Redis, waiting: Player) -> None:
    finished = run_ingest()
    assert finished.stdout.strip().endswith("50"), finished.stderr
    assert_books_are_right(stream, waiting.tenant.id)


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_any_step_leaves_each_event_once(stream: redis_library.Redis, waiting: Player, point: str) -> None:
    crashed = run_ingest(point)
    assert crashed.returncode == -signal.SIGKILL, crashed.stderr
    stored = 0 if point == POINTS[0] else 19  # the first batch holds the unreadable entry
    assert UsageEvent.objects.count() == stored
    assert stream.xlen(key("usage")) == (31 if point == POINTS[3] else 51)
    ingest_pending(now=MOMENT)
    assert_books_are_right(stream, waiting.tenant.id)
