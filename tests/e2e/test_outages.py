"""While a part is away, withdrawn or left: what callers see, how fast, and that the books agree afterwards."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from concurrent.futures import Future

import httpx
import pytest
from redis.exceptions import RedisError

from tests.e2e.crashing import MIXTURE, WEBS, CrashingLumos, assert_books_agree
from tests.e2e.sites import Site, signed_in_admin, signed_in_portal
from tests.e2e.traffic import Answer, Client, Clients, chat, until
from tests.proxy.fakeserver import Call, chunk_of, fake_server

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
CHAT = "/v1/chat/completions"
PATIENCE = 20  # how long a test waits for what is then measured
RETURN_SECONDS = 5


def ask(clients: Clients, key: str, *, model: str = "demo-fast", stream: bool = False) -> Future[Answer]:
    """One request on a connection of its own."""
    return clients.run(Client(clients.port, key).ask_once(CHAT, chat(stream=stream, model=model)))


def is_served(clients: Clients, key: str, requests: int = 1) -> bool:
    """Whether all of so many requests at once are; several reach several processes."""
    return all(one.result(60).status == 200 for one in [ask(clients, key) for _ in range(requests)])


async def ask_until_refused(client: Client, seconds: float) -> tuple[float, Answer]:
    """When the last request that was let in was sent, and the answer to the first one that was not."""
    deadline, accepted_at = time.monotonic() + seconds, 0.0
    while True:
        sent_at = time.monotonic()
        answer = await client.ask("/v1/models")
        if answer.status != 200:
            return accepted_at, answer
        accepted_at = sent_at
        assert sent_at < deadline, "never refused"
        await asyncio.sleep(0.02)


def clients_of_every_process(lumos: CrashingLumos, clients: Clients, key: str) -> list[Client]:
    """Open connections, two at least to each web process."""
    found: dict[str, list[Client]] = {name: [] for name in WEBS}
    pids = lumos.installation.pids
    for _ in range(60):
        client = Client(clients.port, key)
        assert clients.run(client.ask("/v1/models")).result(60).status == 200
        for name in WEBS:
            if lumos.serves(pids[name], client.local_port):
                found[name].append(client)
        if all(len(reached) >= 2 for reached in found.values()):
            return [client for reached in found.values() for client in reached]
    raise AssertionError(f"connections by process: { {name: len(reached) for name, reached in found.items()} }")


def test_a_revoked_key_is_refused_by_every_process_within_a_second_under_load(
    lumos: CrashingLumos, clients: Clients
) -> None:
    clients.begin(list(lumos.keys.values()), MIXTURE, clients=8)
    made = lumos.rest("POST", "stark", "/keys", {"name": "brief", "scopes": ["inference"]}).json()
    until(lambda: is_served(clients, made["key"], 8), "the new key works")
    asking = [
        clients.run(ask_until_refused(client, PATIENCE))
        for client in clients_of_every_process(lumos, clients, made["key"])
    ]
    streams = [ask(clients, made["key"], model="demo-chat", stream=True) for _ in range(6)]
    until(lambda: lumos.leases("stark") >= len(streams), "streams are open")
    assert lumos.rest("DELETE", "stark", f"/keys/{made['id']}").status_code == 204
    revoked_at = time.monotonic()
    for accepted_at, refusal in (one.result(60) for one in asking):
        assert accepted_at - revoked_at < 1.0
        assert (refusal.status, refusal.json["error"]["code"]) == (401, "invalid_api_key")
    cut = [stream.result(60) for stream in streams]
    assert max(answer.ended_at for answer in cut) - revoked_at < 1.0
    assert not any(answer.claims_to_be_whole for answer in cut)
    answers = clients.stop()
    assert_books_agree(lumos.books(), [*answers, *cut])


def test_suspension_stops_a_tenant_with_its_open_streams_and_resuming_lets_it_in(
    lumos: CrashingLumos, clients: Clients
) -> None:
    clients.begin([lumos.keys["stark"]], MIXTURE, clients=6)
    asking = [
        clients.run(ask_until_refused(client, PATIENCE))
        for client in clients_of_every_process(lumos, clients, lumos.keys["wayne"])
    ]
    streams = [ask(clients, lumos.keys["wayne"], model="demo-chat", stream=True) for _ in range(6)]
    until(lambda: lumos.leases("wayne") >= len(streams), "streams are open")
    assert lumos.rest("POST", "wayne", "/suspend", {"reason": "unpaid"}).status_code == 200
    suspended_at = time.monotonic()
    for accepted_at, refusal in (one.result(60) for one in asking):
        assert accepted_at - suspended_at < 5.0
        assert (refusal.status, refusal.json["error"]["code"]) == (403, "tenant_suspended")
    cut = [stream.result(60) for stream in streams]
    assert max(answer.ended_at for answer in cut) - suspended_at < 5.0
    assert not any(answer.claims_to_be_whole for answer in cut)
    served = clients.served()
    until(lambda: clients.served() > served + 10, "the other tenant is served on")

    assert lumos.rest("POST", "wayne", "/resume").status_code == 200
    until(lambda: is_served(clients, lumos.keys["wayne"], 8), "let in again", RETURN_SECONDS)
    answers = clients.stop()
    assert_books_agree(lumos.books(), [*answers, *cut])


async def stream_for_ever(call: Call) -> None:
    await call.begin_stream()
    while True:
        await call.event(chunk_of("word "))
        await asyncio.sleep(0.03)


async def leave_in_the_middle(client: Client, calls: list[Call]) -> tuple[Answer, float]:
    """Reads three chunks and goes; the answer so far, and the seconds until the provider's connection was closed."""
    answer = Answer()
    asking = asyncio.create_task(client.ask(CHAT, chat(stream=True, model="endless"), answer=answer))
    async with asyncio.timeout(PATIENCE):
        while answer.body.count(b"data: ") < 3:
            await asyncio.sleep(0.005)
        client.leave()
        left_at = time.monotonic()
        await calls[-1].closed.wait()
    closed_after = time.monotonic() - left_at
    await asking
    return answer, closed_after


def test_a_client_that_leaves_closes_the_upstream_within_a_second_and_is_charged_once(
    lumos: CrashingLumos, clients: Clients
) -> None:
    async def leave_one_after_the_other() -> list[tuple[Answer, float]]:
        async with fake_server(stream_for_ever) as upstream:
            await asyncio.to_thread(lumos.add_model, "endless", upstream.base_url)
            return [
                await leave_in_the_middle(Client(clients.port, lumos.keys["stark"]), upstream.calls) for _ in range(4)
            ]

    clients.begin(list(lumos.keys.values()), MIXTURE, clients=6)
    left = clients.run(leave_one_after_the_other()).result(120)
    assert max(closed_after for _, closed_after in left) < 1.0
    answers = clients.stop()
    events = assert_books_agree(lumos.books(), [*answers, *(answer for answer, _ in left)])
    for answer, _ in left:
        assert events[answer.request_id]["status"] == "client_closed"
        assert events[answer.request_id]["output"] > 0


def assert_refused_honestly(answer: Answer) -> None:
    assert answer.status == 503, answer
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.request_id.startswith("req_")
    error = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "server_error"


def test_without_redis_the_gateway_refuses_and_is_back_by_itself(lumos: CrashingLumos, clients: Clients) -> None:
    pids = {name: lumos.installation.pids[name] for name in WEBS}
    with lumos.nothing_is_restarted():
        lumos.everything_is_written()
        lumos.kill("valkey")
        until(lambda: not is_served(clients, lumos.keys["stark"]), "the loss is noticed", RETURN_SECONDS)
        for stream in (True, False) * 5:
            began_at = time.monotonic()
            assert_refused_honestly(ask(clients, lumos.keys["stark"], stream=stream).result(60))
            assert time.monotonic() - began_at < 3
        ready = httpx.get(f"{lumos.installation.base_url}/readyz", timeout=30)
        assert ready.status_code == 503
        assert {"redis", "gateway"} <= set(ready.json()["failed"])
    until(lambda: _answers(lumos), "Redis answers", pause=0.005)
    back_at = time.monotonic()
    until(
        lambda: all(one.result(60).status == 200 for one in [ask(clients, lumos.keys["stark"]) for _ in range(8)]), ""
    )
    assert time.monotonic() - back_at < RETURN_SECONDS
    assert pids == {name: lumos.installation.pids[name] for name in WEBS}
    assert_books_agree(lumos.books(), [])


def _answers(lumos: CrashingLumos) -> bool:
    try:
        return bool(lumos.redis.ping())
    except RedisError:
        return False


def test_requests_that_a_hung_redis_refused_are_not_charged_when_it_wakes(
    lumos: CrashingLumos, clients: Clients
) -> None:
    """What they sent stands in its socket, and it carries that out when it goes on."""
    assert is_served(clients, lumos.keys["stark"], 8)
    pid = lumos.installation.pids["valkey"]
    os.kill(pid, signal.SIGSTOP)
    try:
        refused = [one.result(60) for one in [ask(clients, lumos.keys["stark"]) for _ in range(20)]]
    finally:
        os.kill(pid, signal.SIGCONT)
    for answer in refused:
        assert_refused_honestly(answer)
    until(lambda: is_served(clients, lumos.keys["stark"]), "it goes on", RETURN_SECONDS)
    events = assert_books_agree(lumos.books(), refused)
    assert not {answer.request_id for answer in refused} & set(events)


def test_without_postgresql_the_gateway_serves_on_and_pages_say_what_is_away(
    lumos: CrashingLumos, clients: Clients
) -> None:
    admin, portal = signed_in_admin(lumos.installation), signed_in_portal(lumos.installation, "acme")
    since = len(lumos.installation.lines)
    with lumos.nothing_is_restarted():
        lumos.kill("postgres")
        answers = [ask(clients, key, stream=True) for key in lumos.keys.values() for _ in range(10)]
        assert all(answer.result(60).is_whole for answer in answers)
        ready = httpx.get(f"{lumos.installation.base_url}/readyz", timeout=30)
        assert (ready.status_code, set(ready.json()["failed"])) == (503, {"database"})
        for site in (admin, portal):
            assert_says_what_is_away(site)
        problem = lumos.rest("GET", "stark", "")
        assert (problem.status_code, problem.headers["content-type"]) == (503, "application/problem+json")
        assert problem.json()["code"] == "database_unavailable"
        assert is_served(clients, lumos.keys["stark"])
    lumos.wait_until_back("postgres", since=since)
    back_at = time.monotonic()
    until(lambda: all(site.get("/").status_code == 200 for site in (admin, portal)), "pages are back", PATIENCE)
    assert time.monotonic() - back_at < 15
    books = lumos.books()
    events = assert_books_agree(books, [answer.result() for answer in answers])
    assert books["drift"] == []
    assert {events[answer.result().request_id]["status"] for answer in answers} == {"ok"}


def assert_says_what_is_away(site: Site) -> None:
    answer = site.get("/")
    assert answer.status_code == 503, answer.text[:500]
    assert answer.headers["retry-after"]
    assert "The database is not reachable" in answer.text
    assert "Traceback" not in answer.text
