"""Deleting a tenant whose streams and sockets are open: they end, nobody gets in again, and the books are whole."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from billing.api import ingest_pending
from billing.models import UsageEvent, UsageRollup
from core.clock import utc_now
from core.redis import control, key
from core.tenancy import platform_scope
from core.tenancy.celery import queue_of
from proxy import asgi
from proxy.api import change_provider, republish_all
from proxy.consumers import ChatConsumer
from scaling.backends.local import store
from scaling.data import Target
from scaling.models import ScalingTarget
from tenants import api
from tests.cast import TESTER, Player, found_olivia
from tests.lumos_site.stage import set_stage
from tests.proxy.serving import Served, serving_in_thread
from tests.scaling.conftest import orders, report
from tests.tenants.leaving import ask, deletion_of, traces

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed", "redis")]
STREAMS = 5
SECONDS = 5.0
chat: Any = ChatConsumer.as_asgi()


@pytest.fixture
def acme(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Player:
    monkeypatch.setenv("LUMOS_BACKUPS", str(tmp_path / "backups"))
    players = set_stage(found_olivia())
    change_provider(name="demo", options={"pace_ms": 300}, acting=TESTER, now=utc_now())
    republish_all(utc_now())
    report(utc_now(), {players["acme"].tenant.id: []})
    return players["acme"]


class Stream(threading.Thread):
    """One client that reads an answer that would take minutes; `ended` is when it did."""

    def __init__(self, served: Served, token: str) -> None:
        super().__init__(daemon=True)
        self.served, self.token = served, token
        self.began = threading.Event()
        self.text, self.ended = "", 0.0

    def run(self) -> None:
        body = {"model": "demo-chat", "stream": True, "max_tokens": 4000, "messages": [_words()]}
        headers = {"authorization": f"Bearer {self.token}"}
        with httpx.stream(
            "POST", f"{self.served.url}/v1/chat/completions", json=body, headers=headers, timeout=60
        ) as on:
            for line in on.iter_lines():
                self.text += line
                self.began.set()
        self.ended = time.monotonic()


def _words() -> dict[str, str]:
    return {"role": "user", "content": "word " * 400}


async def _both(scope: Any, receive: Any, send: Any) -> None:
    """As the product hands them out: sockets to the consumer, all else to the gateway."""
    await (chat if scope["type"] == "websocket" else asgi.application)(scope, receive, send)


@pytest.fixture
def served(acme: Player) -> Iterator[Served]:
    with serving_in_thread(_both) as served:
        yield served


def listen(served: Served, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return connect(f"ws://127.0.0.1:{served.port}/ws/chat/", additional_headers=headers)


def call(served: Served, token: str) -> httpx.Response:
    body = {"model": "demo-chat", "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {token}"}
    return httpx.post(f"{served.url}/v1/chat/completions", json=body, headers=headers, timeout=20)


@pytest.mark.parametrize("how", ["suspend", "delete"])
def test_streams_sockets_and_workers_stop_within_five_seconds(acme: Player, served: Served, how: str) -> None:
    tenant = acme.tenant
    store.write_targets(control(), {tenant.id: Target(queue_of(tenant.id), 2, 5)})
    ScalingTarget.objects.update_or_create(tenant_id=tenant.id, defaults={"replicas": 2})
    stream = Stream(served, acme.plaintext)
    stream.start()
    with listen(served, acme.plaintext) as socket:
        assert stream.began.wait(20)
        asked_at = time.monotonic()
        if how == "suspend":
            api.suspend_tenant(tenant_id=tenant.id, reason="unpaid", acting=TESTER, now=utc_now())
        else:
            ask(tenant, now=utc_now())
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=SECONDS)
    stream.join(SECONDS)
    assert stream.ended
    assert time.monotonic() - asked_at <= SECONDS
    assert "access_withdrawn" in stream.text
    assert orders()[tenant.id] == 0
    assert call(served, acme.plaintext).status_code == {"suspend": 403, "delete": 401}[how]
    with pytest.raises(InvalidStatus), listen(served, acme.plaintext):
        pass


def test_streams_end_within_five_seconds_and_the_books_are_whole(acme: Player, served: Served) -> None:
    tenant = acme.tenant
    before = UsageEvent.objects.filter(tenant_id=tenant.id).count()
    streams = [Stream(served, acme.plaintext) for _ in range(STREAMS)]
    for stream in streams:
        stream.start()
    assert all(stream.began.wait(20) for stream in streams)
    asked_at = time.monotonic()
    ask(tenant, now=utc_now(), grace=timedelta(0))
    for stream in streams:
        stream.join(20)
    assert all(stream.ended and stream.ended - asked_at <= SECONDS for stream in streams)
    assert all("access_withdrawn" in stream.text for stream in streams)
    assert call(served, acme.plaintext).status_code == 401
    job = _finished(tenant.id)
    assert job.state == api.JobState.DONE, api.job_steps(job)
    assert traces(tenant.id) == []
    assert control().xlen(key("usage")) == 0
    events = UsageEvent.objects.filter(tenant_id=tenant.id)
    assert events.count() == before + STREAMS
    for grain in ("hour", "day"):
        rolled = UsageRollup.objects.filter(tenant_id=tenant.id, grain=grain)
        for name in ("input_tokens", "output_tokens", "charge"):
            assert sum(getattr(row, name) for row in rolled) == sum(getattr(row, name) or 0 for row in events), name


def _finished(tenant_id: str) -> Any:
    """As beat would, which also takes in the usage."""
    for _ in range(40):
        with platform_scope():
            ingest_pending(now=utc_now())
            job = deletion_of(tenant_id)
            if api.run_job(job.id, now=utc_now()) == api.JobState.DONE:
                break
        time.sleep(0.25)
    job.refresh_from_db()
    return job
