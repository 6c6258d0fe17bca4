"""kill -9 of each part of a running installation under traffic: afterwards every sum agrees, to the last digit."""

from __future__ import annotations

import psycopg
import pytest

from tests.e2e.crashing import MIXTURE, TENANTS, WEBS, CrashingLumos, assert_books_agree
from tests.e2e.traffic import Answer, Client, Clients, chat, until

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
STREAMS = 50
INGEST_LOCK = 7_052_101  # billing.metering.lock


def tenant_keys(lumos: CrashingLumos) -> list[str]:
    return [lumos.keys[slug] for slug in TENANTS]


def test_both_web_processes_killed_in_the_middle_of_50_streams(lumos: CrashingLumos, clients: Clients) -> None:
    answers = [Answer() for _ in range(STREAMS)]
    keys = tenant_keys(lumos)
    asked = [
        clients.run(
            Client(clients.port, keys[number % 2]).ask("/v1/chat/completions", chat(stream=True), answer=answer)
        )
        for number, answer in enumerate(answers)
    ]
    until(lambda: all(answer.body.count(b"data: ") > 2 for answer in answers), "all streams run", pause=0.005)
    since = lumos.kill(*WEBS)
    for one in asked:
        one.result(60)
    cut = [answer for answer in answers if answer.failure]
    assert len(cut) > STREAMS / 2
    assert not any(answer.claims_to_be_whole or answer.ended for answer in cut)

    lumos.wait_until_back(*WEBS, since=since)
    books = lumos.books()
    events = assert_books_agree(books, answers)
    assert books["drift"] == []
    assert {events[answer.request_id]["status"] for answer in cut} == {"abandoned"}
    assert all(int(events[answer.request_id]["input"]) > 0 for answer in cut)


@pytest.mark.parametrize("names", [("valkey",), ("postgres",), ("valkey", "postgres", "worker", "web-1")], ids="+".join)
def test_killed_under_traffic(lumos: CrashingLumos, clients: Clients, names: tuple[str, ...]) -> None:
    clients.begin(tenant_keys(lumos), MIXTURE, clients=24)
    until(lambda: clients.served() > 40, "traffic flows")
    lumos.everything_is_written()
    since = lumos.kill(*names)
    lumos.wait_until_back(*names, since=since)
    before = clients.served()
    until(lambda: clients.served() > before + 40, "traffic flows again")
    answers = clients.stop()

    books = lumos.books()
    events = assert_books_agree(books, answers)
    if "valkey" not in names:
        assert books["drift"] == []
    for answer in answers:
        if answer.status == 200 and answer.ended and answer.claims_to_be_whole:
            assert events[answer.request_id]["status"] in ("ok", "abandoned")
    assert {answer.status for answer in answers} <= {0, 200, 500, 502, 503}


@pytest.mark.parametrize("name", ["worker", "postgres"])
def test_killed_while_usage_is_taken_in(lumos: CrashingLumos, clients: Clients, name: str) -> None:
    """The ingest is held at its lock until usage has piled up, let go, and killed while it holds the lock itself."""
    with psycopg.connect(lumos.installation.state["database_url"], autocommit=True) as database:
        database.execute("SELECT pg_advisory_lock(%s)", [INGEST_LOCK])
        clients.begin(tenant_keys(lumos), [chat(stream=False, model="demo-fast")], clients=12)
        until(lambda: lumos.redis.xlen("lumos:usage") > 400, "usage waits")
        answers = clients.stop()
        database.execute("SELECT pg_advisory_unlock(%s)", [INGEST_LOCK])
        until(
            lambda: database.execute(
                "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted", [INGEST_LOCK]
            ).fetchone(),
            "the ingest writes",
            pause=0,
        )
        since = lumos.kill(name)
    lumos.wait_until_back(name, since=since)
    books = lumos.books()
    events = assert_books_agree(books, answers)
    assert books["drift"] == []
    assert {events[answer.request_id]["status"] for answer in answers} == {"ok"}
